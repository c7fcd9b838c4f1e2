"""The shared memory of an instance: made once, joined by name, cleaned after the dead, refused in one sentence."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from appliance.frames._ring import RING_HEADER_BYTES, SLOT_BYTES
from appliance.frames.layout import VERSION, Layout, places
from appliance.frames.memory import Memory, MemoryRefused
from appliance.frames.ring import FRAME_RECORD, RingReader, RingWriter, pop_ready, push_each
from appliance.frames.ring_table import RINGS
from appliance.frames.roster import Address, Booth, Lane, Leg, Roster

PROCESSES = ("watchdog", "rtp", "asr", "mt", "tts", "calls")
SHM = Path("/dev/shm")


@dataclass(frozen=True)
class Limits:
    instance: str
    max_legs: int = 2
    max_lanes: int = 2


@pytest.fixture
def limits(request: pytest.FixtureRequest) -> Iterator[Limits]:
    name = f"test-{os.getpid()}-{abs(hash(request.node.name)) % 10**6}"
    yield Limits(name)
    assert left_behind(name) == []


def left_behind(instance: str) -> list[str]:
    return sorted(path.name for path in SHM.iterdir() if f"dragoman-{instance}" in path.name)


@pytest.fixture
def memory(limits: Limits) -> Iterator[Memory]:
    memory = Memory.create(limits, PROCESSES)
    yield memory
    memory.unlink()
    memory.close()


def test_what_one_process_writes_another_reads(memory: Memory) -> None:
    worker = Memory.attach(memory.instance)
    worker.writer("uplink", 1).push(b"speech", stream=3)
    frame = memory.reader("uplink", 1).pop()
    assert frame is not None
    assert (frame.payload, frame.stream) == (b"speech", 3)
    assert memory.reader("uplink", 0).pop() is None
    worker.close()


def test_everything_has_its_own_place() -> None:
    found = places(Layout(1, 3, 4, PROCESSES))
    from_table = {"leg": 3, "lane": 4, "process": len(PROCESSES), "box": 1}
    assert len(found.rings) == sum(from_table[kind.per] for kind in RINGS)
    starts = sorted(
        [found.board, *found.vitals.values(), *found.bells.values(), *(p.offset for p in found.rings.values())]
    )
    assert len(set(starts)) == len(starts)
    assert all(offset % 64 == 0 for offset in starts)
    assert len({(place.reader, place.bit) for place in found.rings.values()}) == len(found.rings)


def test_no_slot_belongs_to_two_rings() -> None:
    found = places(Layout(1, 3, 4, PROCESSES))
    slots = sorted(
        place.offset + place.slots_at + slot * place.step
        for place in found.rings.values()
        for slot in range(place.slots)
    )
    assert all(after - before >= SLOT_BYTES for before, after in pairwise(slots))
    assert slots[0] >= max(place.offset for place in found.rings.values()) + RING_HEADER_BYTES
    assert slots[-1] + SLOT_BYTES == found.size_bytes


def test_what_all_legs_say_at_one_tick_lies_together() -> None:
    found = places(Layout(1, 3, 4, PROCESSES))
    legs = [found.rings["uplink", leg] for leg in range(3)]
    first = [place.offset + place.slots_at for place in legs]
    assert first == [first[0], first[0] + SLOT_BYTES, first[0] + 2 * SLOT_BYTES]
    assert {place.step for place in legs} == {3 * SLOT_BYTES}


def test_the_segment_and_the_semaphores_are_private_and_have_known_names(memory: Memory) -> None:
    names = [f"dragoman-{memory.instance}", *sorted(f"sem.dragoman-{memory.instance}-{name}" for name in PROCESSES)]
    assert left_behind(memory.instance) == names
    assert all((SHM / name).stat().st_mode & 0o077 == 0 for name in names)


def test_journals_go_by_the_name_of_their_process(memory: Memory) -> None:
    memory.writer("journal", "mt").push(b"from mt")
    assert memory.reader("journal", "rtp").pop() is None
    frame = memory.reader("journal", PROCESSES.index("mt")).pop()
    assert frame is not None
    assert frame.payload == b"from mt"


@pytest.mark.parametrize(("ring", "index"), [("uplink", 2), ("uplink", -1), ("sidelink", 0), ("journal", "ghost")])
def test_a_ring_that_is_not_there_is_refused(memory: Memory, ring: str, index: int | str) -> None:
    with pytest.raises(ValueError, match=f'there is no ring "{ring}" {index}'):
        memory.reader(ring, index)


def test_a_process_that_is_not_there_is_refused(memory: Memory) -> None:
    with pytest.raises(ValueError, match='there is no process "ghost"; there are watchdog, rtp'):
        memory.vitals("ghost")


def test_vitals_are_words_that_everyone_sees(memory: Memory) -> None:
    worker = Memory.attach(memory.instance)
    mine, seen = worker.vitals("asr"), memory.vitals("asr")
    assert (len(mine), mine.itemsize) == (64, 8)
    mine[63] = 2**64 - 1
    assert seen[63] == 2**64 - 1
    assert set(memory.vitals("mt")) == {0}


def test_anyone_sees_how_a_ring_is_doing(memory: Memory) -> None:
    writer = memory.writer("segments")
    writer.push(b"")
    writer.push(b"")
    memory.reader("segments").pop()
    state = memory.ring_state("segments")
    assert (state.head, state.position, state.depth) == (2, 1, 1)
    assert ("segments", 0) in memory.rings()


ROSTER = Roster(
    legs=(Leg(0, 1, "r1", "en", Address("127.0.0.1", 9)), Leg(1, 1, "r1", "pt-br", None)),
    lanes=(Lane(0, 1, 0, "pt-br", 0),),
    booths=(Booth(0, "r1", "pt-br", None),),
)


def test_the_roster_is_seen_whole_and_its_version_tells_when_to_look(memory: Memory) -> None:
    worker = Memory.attach(memory.instance)
    assert (worker.roster_version, worker.read_roster()) == (0, (0, Roster()))
    memory.write_roster(ROSTER)
    assert (worker.roster_version, worker.read_roster()) == (1, (1, ROSTER))
    worker.close()


def test_a_full_roster_fits(memory: Memory) -> None:
    def name(place: int) -> str:
        return f"r{place:08x}"

    legs, lanes = memory.layout.max_legs, memory.layout.max_lanes
    address = Address("255.255.255.255", 65535)
    full = Roster(
        tuple(Leg(place, 2**40, name(place), "pt-br-variant", address) for place in range(legs)),
        tuple(Lane(place, 2**40, place, "pt-br-variant", place) for place in range(lanes)),
        tuple(Booth(place, name(place), "pt-br-variant", address) for place in range(lanes)),
    )
    memory.write_roster(full)
    assert memory.read_roster() == (1, full)


def test_a_second_instance_of_the_same_name_is_refused_with_the_process_to_stop(memory: Memory) -> None:
    with pytest.raises(MemoryRefused, match=rf'"{memory.instance}" already runs on this box \(process {os.getpid()}\)'):
        Memory.create(Limits(memory.instance), PROCESSES)
    Memory.attach(memory.instance).close()  # and the first one is as it was


def test_two_instances_of_different_names_live_side_by_side(memory: Memory) -> None:
    other = Memory.create(Limits(memory.instance + "-b"), PROCESSES)
    other.writer("segments").push(b"other")
    assert memory.reader("segments").pop() is None
    other.unlink()
    other.close()
    memory.writer("segments").push(b"mine")


def test_too_small_a_shared_memory_is_refused_with_the_bytes_missing(limits: Limits) -> None:
    with pytest.raises(MemoryRefused) as refusal:
        Memory.create(limits, PROCESSES, free_bytes=lambda: 1_000_000)
    needed = places(Layout(1, limits.max_legs, limits.max_lanes, PROCESSES)).size_bytes
    assert f"{needed - 1_000_000} bytes are missing in /dev/shm" in str(refusal.value)
    assert "max_legs" in str(refusal.value)


def test_more_rings_than_one_process_can_watch_are_refused(limits: Limits) -> None:
    with pytest.raises(MemoryRefused, match="one process can read 2048 rings, not 2049; lower max_legs"):
        Memory.create(Limits(limits.instance, max_legs=2049), PROCESSES)


@pytest.mark.parametrize("name", ["", "Has/Slash", "-x", "x" * 64])
def test_a_name_that_cannot_be_a_file_is_refused(name: str) -> None:
    with pytest.raises(MemoryRefused, match="is not a name"):
        Memory.create(Limits(name), PROCESSES)


def test_joining_what_does_not_run_is_refused(limits: Limits) -> None:
    with pytest.raises(MemoryRefused, match="is not running here; start it with: dragoman up"):
        Memory.attach(limits.instance)


def test_joining_what_is_not_ready_is_refused(memory: Memory) -> None:
    with (SHM / f"dragoman-{memory.instance}").open("r+b") as segment:
        segment.write(bytes(8))
    with pytest.raises(MemoryRefused, match="still starting"):
        Memory.attach(memory.instance)


def test_joining_another_version_is_refused(memory: Memory) -> None:
    path = SHM / f"dragoman-{memory.instance}"
    field = b"\xa7version"
    header = path.read_bytes()[:4096]
    assert header.count(field) == 1
    with path.open("r+b") as segment:
        segment.seek(header.index(field) + len(field))
        segment.write(bytes([VERSION + 1]))
    with pytest.raises(MemoryRefused, match="another version"):
        Memory.attach(memory.instance)


CREATE_AND_DIE = """
import os, signal, sys
from tests.test_memory import Limits
from appliance.frames.memory import Memory
memory = Memory.create(Limits(sys.argv[1]), sys.argv[2:])
memory.writer("segments").push(b"from the dead")
memory.doorbell("mt").ring()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_run_left_is_cleaned_at_the_next_start(limits: Limits) -> None:
    processes = [*PROCESSES, "retired"]  # a process that the next version no longer has
    dead = subprocess.run([sys.executable, "-c", CREATE_AND_DIE, limits.instance, *processes], check=False)
    assert dead.returncode == -signal.SIGKILL
    assert len(left_behind(limits.instance)) == 1 + len(processes)
    orphan = Memory.attach(limits.instance)

    memory = Memory.create(limits, PROCESSES)
    assert len(left_behind(limits.instance)) == 1 + len(PROCESSES)
    assert memory.reader("segments").pop() is None
    assert not memory.doorbell("mt").wait(0)  # nor is the dead one's ring heard

    orphan.writer("segments").push(b"into the void")  # a survivor of the dead run harms neither itself nor us
    assert memory.reader("segments").pop() is None
    memory.unlink()
    memory.close()


def test_of_many_that_start_at_once_one_wins(limits: Limits) -> None:
    code = (
        "import sys\nfrom tests.test_memory import *\n"
        "try:\n    memory = Memory.create(Limits(sys.argv[1]), PROCESSES)\n"
        "except MemoryRefused:\n    print('refused', flush=True)\n"
        "else:\n    print('made', flush=True)\n    sys.stdin.read()\n    memory.unlink()\n"
    )
    starters = [
        subprocess.Popen([sys.executable, "-c", code, limits.instance], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    answers = [starter.stdout.readline() for starter in starters if starter.stdout]
    for starter in starters:
        starter.communicate()
    assert sorted(answers) == [b"made\n"] + [b"refused\n"] * 3


def test_closing_leaves_what_is_still_held_usable(memory: Memory) -> None:
    worker = Memory.attach(memory.instance)
    writer = worker.writer("segments")
    worker.close()
    writer.push(b"late")
    frame = memory.reader("segments").pop()
    assert frame is not None
    assert frame.payload == b"late"


# ---- the doorbell ----


def popped(readers: list[RingReader], room: int) -> list[tuple[int, bytes]]:
    """What `pop_ready` finds, with room for so many frames: the reader's index and the payload."""
    found = np.zeros(room, np.dtype(FRAME_RECORD))
    count = pop_ready(readers, found)
    return [(int(one["index"]), one["samples"].tobytes()[: one["length_bytes"]]) for one in found[:count]]


def test_a_doorbell_wakes_its_process_for_a_ring_that_it_reads(memory: Memory) -> None:
    reader, bell = memory.reader("uplink"), memory.doorbell("asr")
    assert reader.pop() is None
    writer = Memory.attach(memory.instance).writer("uplink")
    threading.Timer(0.05, writer.push, [b"speech"]).start()
    while (frame := reader.pop()) is None:
        assert bell.wait(30)
    assert frame.payload == b"speech"


def test_a_doorbell_is_quiet_once_everything_is_read(memory: Memory) -> None:
    readers, bell = [memory.reader("uplink", leg) for leg in range(2)], memory.doorbell("asr")
    writers = [memory.writer("uplink", leg) for leg in range(2)]
    popped(readers, 10)
    assert not bell.wait(0)
    push_each(writers, [b"a", b"b"])
    assert bell.wait(0)  # nobody slept, so nobody was woken: the marks say it
    assert popped(readers, 10) == [(0, b"a"), (1, b"b")]
    assert not bell.wait(0)


def test_a_reader_that_stops_early_is_told_again(memory: Memory) -> None:
    reader, bell = memory.reader("uplink"), memory.doorbell("asr")
    writer = memory.writer("uplink")
    writer.push(b"one")
    writer.push(b"two")
    assert popped([reader], 1) == [(0, b"one")]
    assert bell.wait(0)
    assert popped([reader], 1) == [(0, b"two")]


def test_rings_that_nobody_here_reads_do_not_keep_a_process_awake(memory: Memory) -> None:
    reader, bell = memory.reader("uplink", 0), memory.doorbell("asr")
    assert reader.pop() is None
    memory.writer("uplink", 1).push(b"for another worker")
    assert not bell.wait(0)
    other = memory.reader("uplink", 1)
    assert bell.wait(0)
    del other
    assert not bell.wait(0)


def test_seeking_tells_the_doorbell(memory: Memory) -> None:
    reader, bell, writer = memory.reader("uplink"), memory.doorbell("asr"), memory.writer("uplink")
    writer.push(b"")
    reader.seek(reader.head)
    assert not bell.wait(0)
    reader.seek(0)
    assert bell.wait(0)


def test_a_frame_that_was_never_announced_is_found_after_one_timeout(memory: Memory) -> None:
    """Its writer was killed between publishing and announcing; here: a writer that knows of no doorbell."""
    reader, bell = memory.reader("uplink"), memory.doorbell("asr")
    assert popped([reader], 10) == []
    RingWriter(memory._map, places(memory.layout).rings["uplink", 0].offset).push(b"quiet")
    assert popped([reader], 10) == []
    assert bell.wait(0.001)
    assert popped([reader], 10) == [(0, b"quiet")]
    assert not bell.wait(0)


def test_waiting_ends_with_a_signal(memory: Memory) -> None:
    bell, heard = memory.doorbell("calls"), threading.Event()
    previous = signal.signal(signal.SIGUSR2, lambda *_: heard.set())
    try:
        threading.Timer(0.05, signal.pthread_kill, [threading.get_ident(), signal.SIGUSR2]).start()
        assert bell.wait(30)
        assert heard.is_set()
    finally:
        signal.signal(signal.SIGUSR2, previous)


def test_other_threads_run_while_one_waits(memory: Memory) -> None:
    bell = memory.doorbell("calls")
    waiter = threading.Thread(target=bell.wait, args=[30])
    waiter.start()
    bell.ring()
    waiter.join(30)
    assert not waiter.is_alive()


@pytest.mark.parametrize("timeout_s", [-1, float("nan"), float("inf"), 1e9])
def test_a_wait_that_would_never_end_is_refused(memory: Memory, timeout_s: float) -> None:
    with pytest.raises(ValueError, match="timeout_s must be from 0 to 86400"):
        memory.doorbell("calls").wait(timeout_s)


CONSUME = """
import sys
from appliance.frames.memory import Memory
memory = Memory.attach(sys.argv[1])
reader, bell = memory.reader("segments"), memory.doorbell("mt")
print("ready", flush=True)
while (frame := reader.pop()) is None or frame.payload != b"end":
    if frame is None:
        bell.wait(600)
"""


def test_no_wake_up_is_lost(memory: Memory) -> None:
    """Push again and again just when the consumer has found nothing and goes to sleep.

    A lost wake-up would leave it asleep for ten minutes. The writer sees progress without any doorbell of its own.
    """
    writer = memory.writer("segments")
    consumer = subprocess.Popen([sys.executable, "-c", CONSUME, memory.instance], stdout=subprocess.PIPE)
    assert consumer.stdout
    assert consumer.stdout.readline() == b"ready\n"
    try:
        push_as_it_falls_asleep(memory, writer, turns=200_000, end_s=time.monotonic() + 5)
        writer.push(b"end")
        assert consumer.wait(60) == 0
    finally:
        consumer.kill()
        consumer.communicate()


def push_as_it_falls_asleep(memory: Memory, writer: RingWriter, turns: int, end_s: float) -> None:
    for turn in range(turns):
        writer.push(b"")
        lost_s = time.monotonic() + 20
        while memory.ring_state("segments").depth:
            assert time.monotonic() < lost_s, f"turn {turn}: the consumer sleeps and a frame waits"
        for _ in range(turn % 40):  # from right after its pop to well into its sleep
            pass
        if time.monotonic() > end_s:
            break


def test_the_measures_of_the_box_are_seen_by_all_and_touch_nothing_else(memory):
    other = Memory.attach(memory.instance)
    measures = memory.measures()
    for word in range(len(measures)):
        measures[word] = 2**64 - 1
    assert set(other.measures()) == {2**64 - 1}
    assert other.read_roster() == (0, Roster())
    assert not any(any(other.vitals(process)) for process in other.layout.processes)
    other.close()
