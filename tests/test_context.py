"""What a process is given to work with."""

import uuid

import pytest

from appliance.clock import now_ns
from appliance.config import Config
from appliance.frames.memory import Memory
from appliance.frames.messages import FirstAudio, LogLine, Segment
from appliance.frames.roster import Leg, Roster
from appliance.supervision.context import Context
from appliance.supervision.journals import Journals
from appliance.supervision.process_table import PROCESS_NAMES, Process
from appliance.supervision.vitals import Vitals
from appliance.units import NS_PER_S

MT = Process("mt", "toys.steady", ("segments",), ("translations",), ready_s=5, heartbeat_s=2, busy_s=5)


@pytest.fixture
def memory():
    made = Memory.create(Config(instance=f"test-{uuid.uuid4().hex[:8]}"), PROCESS_NAMES)
    yield made
    made.unlink()
    made.close()


@pytest.fixture
def ctx(memory):
    return Context(MT, Config(), memory)


class Lines:
    """Takes what would be written to the log."""

    def __init__(self) -> None:
        self.entries = []
        self.lost = 0
        self.write = self.entries.append


def test_every_turn_beats_the_heart_and_the_loop_ends_when_told(ctx):
    beats = []
    for _ in ctx.turns(idle_s=0):
        beats.append(ctx.vitals.heartbeat_ns)
        ctx.stopping = len(beats) == 3
    assert beats == sorted(set(beats))
    assert len(beats) == 3


def test_a_message_ends_the_wait_between_turns(ctx, memory):
    reader = ctx.text_reader("segments")
    segment = Segment(1, 1, 7, 0, True, 5, 9, "en", "hello", 100.0)
    turns = ctx.turns(idle_s=3600)
    next(turns)
    memory.writer("segments")  # a writer that only attaches wakes nobody
    Context(Process("asr", "toys.steady", (), (), 5, 2), Config(), memory).text_writer("segments").write(segment)
    next(turns)  # or an hour later
    assert reader.read() == segment


def test_busy_stamps_its_deadline_and_takes_it_back(ctx):
    before = now_ns()
    with ctx.busy():
        assert 0 <= ctx.vitals.busy_until_ns - before - MT.busy_s * NS_PER_S < 3 * NS_PER_S
        outer = ctx.vitals.busy_until_ns
        with ctx.busy(limit_s=60):
            assert ctx.vitals.busy_until_ns > outer
        assert ctx.vitals.busy_until_ns == outer
    assert ctx.vitals.busy_until_ns == 0
    assert ctx.vitals.heartbeat_ns >= before


def test_busy_ends_with_an_error_too(ctx):
    def broken_engine() -> None:
        with ctx.busy():
            raise ValueError("the engine failed")

    with pytest.raises(ValueError, match="failed"):
        broken_engine()
    assert ctx.vitals.busy_until_ns == 0


def test_the_roster_is_read_again_only_when_it_has_changed(ctx, memory):
    empty = ctx.roster()
    assert empty == Roster()
    assert ctx.roster() is empty
    memory.write_roster(Roster(legs=(Leg(0, 1, "r00000001", "en", None),)))
    changed = ctx.roster()
    assert changed.legs[0].room == "r00000001"
    assert ctx.roster() is changed


def test_journals_arrive_in_order_whatever_their_type(ctx, memory):
    lines = Lines()
    vitals = Vitals(memory.vitals("watchdog"))
    journals = Journals(memory, ["mt"], vitals, lines)
    sent = [FirstAudio(1, 2, 0, 3, 4), LogLine("mt", "info", "x" * 2000, 5)]
    for entry in sent:
        ctx.journal(entry)
    ctx.log.warning("short")
    journals.drain()
    assert lines.entries[:2] == sent
    assert lines.entries[2].text == "short"
    assert vitals.get("dropped_messages") == 0


def test_a_flood_of_log_lines_is_counted_and_the_newest_are_kept(ctx, memory):
    lines = Lines()
    vitals = Vitals(memory.vitals("watchdog"))
    journals = Journals(memory, ["mt"], vitals, lines)
    for number in range(1000):
        ctx.log.info(str(number))
    journals.drain()
    assert lines.entries[-1].text == "999"
    assert vitals.get("dropped_messages") == 1000 - len(lines.entries) > 0
