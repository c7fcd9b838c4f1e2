"""The original under a translation: read back from the rings, smoothly, and only where it can be heard."""

import mmap

import numpy as np
import pytest

from appliance.frames._ring import format_ring, ring_bytes
from appliance.frames.ring import RingWriter
from appliance.frames.roster import Lane, Leg, Roster
from appliance.units import FRAME_BYTES, FRAME_SAMPLES
from appliance.wire.originals import DELAY_FRAMES, FARTHEST_FRAMES, HOLD_FRAMES, Original, Originals

LEAST = 500


def ring() -> RingWriter:
    memory = mmap.mmap(-1, ring_bytes(64))
    format_ring(memory, 0, 64)
    return RingWriter(memory, 0)


def frame(level: int) -> bytes:
    return np.full(FRAME_SAMPLES, level, "<i2").tobytes()


def hear(original: Original, writer: RingWriter, arrivals: list[list[int]]) -> list[int | None]:
    """The level heard at each tick; `arrivals`: the levels of the frames that came before it."""
    heard = []
    for levels in arrivals:
        for level in levels:
            writer.push(frame(level))
        original.tick()
        heard.append(int(np.frombuffer(original.frame, "<i2")[0]) if original.frame else None)
    return heard


def original_of(writer: RingWriter) -> Original:
    return Original(writer, 1, LEAST)


def test_speech_is_heard_a_little_later_and_whole():
    writer = ring()
    heard = hear(original_of(writer), writer, [[1_000 + tick] for tick in range(20)])
    assert heard == [None] * (DELAY_FRAMES - 1) + list(range(1_000, 1_021 - DELAY_FRAMES))


def test_what_was_said_before_somebody_listened_is_past():
    writer = ring()
    writer.push(frame(9_000))
    assert hear(original_of(writer), writer, [[], [1_000, 1_001], []]) == [None, 1_000, 1_001]


def test_a_late_packet_is_bridged_by_the_ones_in_hand():
    writer = ring()
    arrivals = [[1_000], [1_001], [], [1_002, 1_003], [1_004], [1_005]]
    assert hear(original_of(writer), writer, arrivals) == [None, 1_000, 1_001, 1_002, 1_003, 1_004]


def test_after_an_outage_it_waits_until_it_can_bridge_again():
    writer = ring()
    arrivals = [[1_000], [1_001], [], [], [1_002], [1_003], []]
    assert hear(original_of(writer), writer, arrivals) == [None, 1_000, 1_001, None, None, 1_002, 1_003]


def test_it_never_falls_far_behind():
    writer = ring()
    burst = list(range(1_000, 1_050))
    assert hear(original_of(writer), writer, [burst, [], []]) == [1_048, 1_049, None]
    assert len(burst) > FARTHEST_FRAMES


def test_noise_too_soft_to_be_heard_is_silence_but_soft_sounds_of_speech_are_not():
    writer = ring()
    original = original_of(writer)
    hear(original, writer, [[LEAST - 1]])
    assert hear(original, writer, [[LEAST - 1]] * 5) == [None] * 5
    assert hear(original, writer, [[LEAST], [400]]) == [None, LEAST]
    assert hear(original, writer, [[300]] * (HOLD_FRAMES + 2)) == [400] + [300] * (HOLD_FRAMES - 1) + [None] * 2


@pytest.mark.parametrize(("call", "heard"), [(1, 1_000), (2, None)])
def test_a_new_call_at_the_same_place_does_not_hear_the_last_one(call, heard):
    writer = ring()
    originals = Originals([writer], -18.0)
    originals.follow(roster(call=1))
    for _ in range(3):
        writer.push(frame(1_000))
    originals.follow(roster(call))
    originals.tick()
    original = originals.of(0)
    assert original.frame == (frame(heard) if heard else None)


def test_a_leg_that_nobody_hears_in_translation_is_not_read():
    originals = Originals([ring()], -18.0)
    originals.follow(Roster(legs=roster(1).legs))
    assert originals.of(0) is None


@pytest.mark.parametrize(("level_db", "level", "is_heard"), [(-18.0, 500, False), (-18.0, 520, True), (0.0, 70, True)])
def test_what_can_be_heard_depends_on_how_loud_it_is_mixed(level_db, level, is_heard):
    writer = ring()
    originals = Originals([writer], level_db)
    originals.follow(roster(1))
    writer.push_many(frame(level) * 2)
    originals.tick()
    original = originals.of(0)
    assert len(original.frame or b"") == FRAME_BYTES * is_heard


def roster(call: int) -> Roster:
    return Roster(legs=(Leg(0, call, "r1", "en", None),), lanes=(Lane(0, call, 0, "pt-br", 0),))
