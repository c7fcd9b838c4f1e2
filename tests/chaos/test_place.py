"""A machine that is full: /dev/shm when the appliance starts, the disk while it runs."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from box import PATIENCE_S, Box

from appliance import clock
from appliance.drill.table import Outcome
from appliance.frames.memory import Memory
from appliance.supervision.vitals import Vitals
from appliance.units import NS_PER_S
from chaos.scene import wait_until
from chaos.table import Row, note, rows

FILLER = "filler"


class SmallBox(Box):
    """A box in which `full` is a file system of `size_kb` that nobody else sees; nobody needs root for it."""

    def __init__(self, folder: Path, full: Path, size_kb: int) -> None:
        super().__init__(folder, rtp="steady", calls="steady")
        self.full = full
        self._size_kb = size_kb

    def command(self, *words: str) -> list[str]:
        up = super().command(*words)
        if words[:1] != ("up",):
            return up
        mount = f'mount -t tmpfs -o size={self._size_kb}k tmpfs "{self.full}" && exec "$@"'
        return ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh", *up]

    def seen_from_inside(self, path: Path) -> Path:
        return Path(f"/proc/{self.process.pid}/root{path}")


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[Path, int], SmallBox]]:
    made: list[SmallBox] = []

    def box(full: Path, size_kb: int) -> SmallBox:
        full.mkdir(exist_ok=True)
        made.append(SmallBox(tmp_path, full, size_kb))
        return made[-1]

    yield box
    for each in made:
        each.end()


def row_of(name: str) -> Row:
    return next(row for row in rows("place") if row.name == name)


def test_without_room_for_its_memory_it_says_so_and_leaves_nothing(
    make: Callable[[Path, int], SmallBox], tmp_path: Path
) -> None:
    box = make(Path("/dev/shm"), 1_024)
    names = tmp_path / "names"
    box.start()
    assert box.process.wait(PATIENCE_S) == 1
    refusal = box.errors.read_text()
    assert "bytes are missing in /dev/shm" in refusal
    assert "mount -o remount,size=" in refusal
    assert "Traceback" not in refusal
    look = f'mount -t tmpfs -o size=1024k tmpfs /dev/shm && "$@"; ls /dev/shm >"{names}"'
    up = Box.command(box, "up", "--log", str(box.log), "--table", "toy_table")
    again = ["unshare", "--map-root-user", "--mount", "sh", "-c", look, "sh", *up]
    subprocess.run(again, env=box.environment(), stderr=subprocess.DEVNULL, timeout=PATIENCE_S, check=True)
    note(row_of("/dev/shm full at start"), Outcome(leaked=tuple(names.read_text().split())))


def test_with_a_full_disk_everybody_works_and_the_log_goes_on_when_there_is_room(
    make: Callable[[Path, int], SmallBox], tmp_path: Path
) -> None:
    box = make(tmp_path / "disk", 64)
    box.log = box.full / "log.jsonl"
    box.start()
    box.log = box.seen_from_inside(box.log)
    box.wait_until_up()
    disk = box.seen_from_inside(box.full)
    with pytest.raises(OSError, match="No space left"):
        fill(disk / FILLER)
    written = box.log.stat().st_size
    pid = box.pids()["rtp"]
    since_ns = clock.now_ns()
    os.kill(pid, 9)
    box.until(lambda: is_ready_again(box, pid), "rtp is back")
    back_s = (clock.now_ns() - since_ns) / NS_PER_S
    for _ in range(10):  # each stack dump is some lines; the log's last page had room for a few
        os.kill(box.pids()["rtp"], signal.SIGUSR1)
        clock.sleep_s(0.1)
    wait_until(lambda: lost(box) > 0, "what could not be written has been counted")
    assert box.log.stat().st_size < written + 4_096
    (disk / FILLER).unlink()
    os.kill(box.pids()["calls"], 9)
    box.until(
        lambda: any('"calls"' in line and "restart in" in line for line in box.log.read_text().splitlines()),
        "the log goes on",
    )
    broken = [line for line in box.log.read_text().splitlines()[:-1] if not is_json(line)]
    assert len(broken) <= 1, "only the line that met the end of the disk"
    note(row_of("disk full"), Outcome(back_s=back_s))


def is_ready_again(box: Box, killed: int) -> bool:
    memory = Memory.attach(box.instance)
    try:
        vitals = Vitals(memory.vitals("rtp"))
        return vitals.pid != killed and vitals.ready_ns > 0
    finally:
        del vitals
        memory.close()


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (4_096, 1):
            while file.write(bytes(size)) == size:
                pass
        os.write(file.fileno(), b"x")


def lost(box: Box) -> int:
    status = box.run("status", "--json").stdout
    return next(each["counters"].get("dropped_messages", 0) for each in json.loads(status)["processes"])


def is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
