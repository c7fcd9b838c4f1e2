"""Long stress of the ring: constant lapping, and processes killed at any instant."""

import mmap
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from appliance.frames._ring import format_ring, ring_bytes
from appliance.frames.layout import places
from appliance.frames.memory import Memory
from appliance.frames.ring import Frame, RingReader
from appliance.units import FRAME_BYTES

pytestmark = pytest.mark.torture

LAPPED_FRAMES = 10_000_000
BLOCK = 8  # frames that are pushed together, and slots: every push laps whoever has not finished reading
KILLS = 200
LONGEST_LIFE_S = 0.004

REPEATS = FRAME_BYTES // 8


def child(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    """A process that starts fast, so that 200 of them do: no site packages, only the extension module."""
    command = [sys.executable, "-S", "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parent.parent)


def output_of(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout


PUSH_BLOCKS = """
import mmap, sys
from appliance.frames import _ring
with open(sys.argv[1], "r+b") as file:
    writer = _ring.RingWriter(mmap.mmap(file.fileno(), 0), 0)
for number in range(int(sys.argv[2])):
    writer.push_many(number.to_bytes(8, "little") * int(sys.argv[3]))
"""


def test_no_torn_frame_is_ever_accepted(tmp_path: Path) -> None:
    """Each frame says its block number 80 times over; a torn one would say two."""
    path = tmp_path / "ring"
    path.write_bytes(bytes(ring_bytes(BLOCK)))
    with path.open("r+b") as file:
        memory = mmap.mmap(file.fileno(), 0)
    format_ring(memory, 0, BLOCK)
    reader = RingReader(memory, 0)
    writer = child(PUSH_BLOCKS, path, LAPPED_FRAMES // BLOCK, BLOCK * REPEATS)
    accepted = expected = 0
    while reader.position < LAPPED_FRAMES:
        for frame in reader.pop_many(4 * BLOCK):
            assert frame.sequence >= expected
            assert frame.payload == (frame.sequence // BLOCK).to_bytes(8, "little") * REPEATS
            expected = frame.sequence + 1
            accepted += 1
        assert writer.poll() in (None, 0)
    assert writer.communicate(timeout=60) == (b"", b"")
    assert accepted + reader.dropped == LAPPED_FRAMES
    assert reader.torn > 0, "no copy was ever torn: this has proved nothing"


@dataclass(frozen=True)
class Limits:
    instance: str
    max_legs: int = 1
    max_lanes: int = 1


@pytest.fixture
def memory() -> Iterator[Memory]:
    memory = Memory.create(Limits(f"torture-{os.getpid()}"), ("watchdog", "rtp", "asr", "mt", "tts", "calls"))
    yield memory
    memory.unlink()
    memory.close()


# Both victims: attach one end, as appliance.frames.memory would, and say so.
ATTACH = """
import mmap, sys
from appliance.frames import _ring
path, offset, bell_offset, semaphore, bit = sys.argv[1:]
with open(path, "r+b") as file:
    memory = mmap.mmap(file.fileno(), 0)
bell = _ring.Doorbell(memory, int(bell_offset), semaphore)
end = _ring.{end}(memory, int(offset), bell, int(bit))
print("ready", flush=True)
"""

WRITE_UNTIL_KILLED = (
    ATTACH.format(end="RingWriter")
    + """
def content(sequence):
    return sequence.to_bytes(8, "little") * 80
while True:
    head = end.head
    end.push(content(head), stream=head)
    end.push_many(content(head + 1) + content(head + 2) + content(head + 3), stream=head + 1)
"""
)

READ_UNTIL_KILLED = (
    ATTACH.format(end="RingReader")
    + """
expected = end.position
while True:
    frame = end.pop()
    if frame is None:
        bell.wait(10)
        continue
    if frame.sequence < expected or frame.payload != frame.sequence.to_bytes(8, "little") * 80:
        sys.exit("wrong frame " + repr(frame))
    expected = frame.sequence + 1
    end.commit()
"""
)


def victim(code: str, memory: Memory, ring: str) -> subprocess.Popen[bytes]:
    layout = places(memory.layout)
    place = layout.rings[ring, 0]
    name = f"/dragoman-{memory.instance}"
    process = child(
        code, f"/dev/shm{name}", place.offset, layout.bells[place.reader], f"{name}-{place.reader}", place.bit
    )
    assert output_of(process).readline() == b"ready\n"
    return process


def kill(process: subprocess.Popen[bytes]) -> None:
    """It must have been alive and well until now."""
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (-signal.SIGKILL, b"")


def content(sequence: int) -> bytes:
    return sequence.to_bytes(8, "little") * REPEATS


def check(frames: list[Frame], expected: int) -> int:
    """Order and content; returns the sequence that may come next."""
    for frame in frames:
        assert frame.sequence >= expected
        assert frame.payload == content(frame.sequence)
        expected = frame.sequence + 1
    return expected


def test_a_killed_writer_wedges_nobody(memory: Memory) -> None:
    dice = random.Random(1)
    reader, bell = memory.reader("segments"), memory.doorbell("mt")
    expected = 0
    for life in range(KILLS):
        writer = victim(WRITE_UNTIL_KILLED, memory, "segments")
        end_s = time.monotonic() + dice.uniform(0, LONGEST_LIFE_S)
        while time.monotonic() < end_s:
            expected = check(reader.pop_many(64), expected)
            bell.wait(0.001)
        kill(writer)
        expected = check(reader.pop_many(1000), expected)

        successor = memory.writer("segments")
        assert successor.generation == 2 * life + 2
        first = successor.head
        for sequence in range(first, first + 10):
            assert successor.push(content(sequence)) == sequence
        assert bell.wait(10)
        frames = reader.pop_many(1000)
        assert [(frame.sequence, frame.generation) for frame in frames] == [
            (sequence, successor.generation) for sequence in range(first, first + 10)
        ]
        expected = check(frames, expected)


def test_a_killed_reader_wedges_nobody(memory: Memory) -> None:
    dice = random.Random(2)
    writer = memory.writer("translations")
    pushed = committed = 0
    for _ in range(KILLS):
        reader = victim(READ_UNTIL_KILLED, memory, "translations")
        end_s = time.monotonic() + dice.uniform(0, LONGEST_LIFE_S)
        while time.monotonic() < end_s:
            for _ in range(dice.choice((1, 1, 5, 300))):  # one at a time wakes it each time; 300 lap it
                assert writer.push(content(pushed)) == pushed
                pushed += 1
        kill(reader)

        successor = memory.reader("translations")
        assert committed <= successor.position == successor.committed <= pushed
        committed = successor.committed
        dropped = successor.dropped
        frames = successor.pop_many(1000)
        check(frames, committed)
        assert committed + (successor.dropped - dropped) + len(frames) == pushed
        if frames:
            assert frames[-1].sequence == pushed - 1
        successor.commit()
        committed = successor.committed
        assert committed == pushed
