"""The log: one JSON object a line, and nobody ever waits for it."""

import errno
import json
import os

import pytest

from appliance import log as log_module
from appliance.frames.messages import HealthEvent, LogLine
from appliance.log import JsonLines, Log


@pytest.fixture
def pipe():
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    yield read_end, write_end
    os.close(read_end)
    os.close(write_end)


def read_all(descriptor: int) -> bytes:
    content = b""
    while True:
        try:
            content += os.read(descriptor, 1 << 16)
        except BlockingIOError:
            return content


def line(text: str) -> LogLine:
    return LogLine(process="rtp", level="info", text=text, ts_ns=1)


def test_an_entry_is_one_line_with_time_and_type(pipe):
    read_end, write_end = pipe
    JsonLines(write_end).write(HealthEvent(component="rtp", status="up", action="ready", ts_ns=5))
    written = json.loads(read_all(read_end))
    assert written["type"] == "health"
    assert written["component"] == "rtp"
    assert written["time"].endswith("+00:00")


def test_a_reader_that_does_not_read_costs_lines_and_never_blocks(pipe):
    read_end, write_end = pipe
    log = JsonLines(write_end)
    count = log.MAX_WAITING + 5000
    for number in range(count):
        log.write(line(f"{number:05} {'x' * 100}"))
    assert log.lost > 0
    content = b""
    while (more := read_all(read_end)) or not content:
        content += more
        log.flush()
    numbers = [int(json.loads(text)["text"][:5]) for text in content.splitlines()]
    assert numbers == sorted(numbers)
    assert numbers[-1] == count - 1, "the newest lines are kept"
    assert len(numbers) == count - log.lost


def test_a_line_longer_than_a_pipe_arrives_whole(pipe):
    read_end, write_end = pipe
    log = JsonLines(write_end)
    log.write(line("y" * 200_000))
    content = b""
    while not content.endswith(b"\n"):
        content += read_all(read_end)
        log.flush()
    assert json.loads(content)["text"] == "y" * 200_000


def test_a_reader_that_has_gone_is_no_error():
    read_end, write_end = os.pipe()
    os.close(read_end)
    log = JsonLines(write_end)
    log.write(line("nobody hears this"))
    assert log.lost == 1
    os.close(write_end)


def test_levels():
    entries = []
    log = Log("asr", entries.append)
    log.info("a")
    log.warning("b")
    log.error("c")
    assert [(entry.process, entry.level, entry.text) for entry in entries] == [
        ("asr", "info", "a"),
        ("asr", "warning", "b"),
        ("asr", "error", "c"),
    ]


def test_a_line_that_the_end_of_the_disk_has_torn_spoils_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    room, written = 60, b""

    def small_disk(_descriptor: int, data: bytes) -> int:
        nonlocal room, written
        if not room:
            raise OSError(errno.ENOSPC, "no space left on device")
        taken, room = data[:room], max(0, room - len(data))
        written += taken
        return len(taken)

    monkeypatch.setattr(log_module, "write", small_disk)
    reading, writing = os.pipe()  # always ready to be written to
    lines = JsonLines(writing)
    for number in range(3):
        lines.write(LogLine(process="mt", level="info", text=f"{number}", ts_ns=number))
    room = 10_000
    lines.write(LogLine(process="mt", level="info", text="there is room again", ts_ns=3))
    os.close(reading)
    os.close(writing)
    torn, whole = written.splitlines()
    assert len(torn) == 60
    assert json.loads(whole)["text"] == "there is room again"
    assert lines.lost == 3
