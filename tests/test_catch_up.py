"""A lane that falls behind speaks faster, then pauses less, then merges; and goes back without anybody noticing."""

import itertools

import pytest

from appliance.speech.catch_up import (
    FASTEST,
    SHORTEST_PAUSES,
    Pace,
    SynthesisCost,
    chunk_chars,
    learned,
    next_pace,
    synthesis_ms,
)

LONG = 60_000  # ms: the pace has arrived where it wants to be


@pytest.mark.parametrize(
    ("backlog_ms", "pace"),
    [
        (0, Pace()),
        (400, Pace()),
        (450, Pace(speed=1.125)),
        (500, Pace(speed=1.25)),
        (950, Pace(speed=1.25, pauses=0.625)),
        (1_400, Pace(speed=1.25, pauses=0.25)),
        (1_401, Pace(speed=1.25, pauses=0.25, merge=True)),
        (60_000, Pace(speed=1.25, pauses=0.25, merge=True)),
    ],
)
def test_what_a_growing_backlog_calls_for(backlog_ms, pace):
    found = next_pace(Pace(), backlog_ms, LONG)
    assert (found.speed, found.pauses) == (pytest.approx(pace.speed), pytest.approx(pace.pauses))
    assert found.merge == pace.merge


@pytest.mark.parametrize(
    ("before", "backlog_ms", "after"),
    [
        (Pace(1.125, 1.0), 350, Pace(1.125, 1.0)),  # 450 ms called for it: a little less changes nothing
        (Pace(1.125, 1.0), 190, Pace(1.1, 1.0)),
        (Pace(1.25, 0.25, merge=True), 1_200, Pace(1.25, 0.25, merge=True)),
        (Pace(1.25, 0.25, merge=True), 1_100, Pace(1.25, 0.25 + 0.75 * 50 / 900)),
        (Pace(1.25, 0.25, merge=True), 100, Pace()),
    ],
)
def test_a_measure_is_taken_back_only_when_the_backlog_has_shrunk_well_below_it(before, backlog_ms, after):
    found = next_pace(before, backlog_ms, LONG)
    assert (found.speed, found.pauses) == (pytest.approx(after.speed), pytest.approx(after.pauses))
    assert found.merge == after.merge


def test_speed_changes_gently():
    faster = next_pace(Pace(), 5_000, 100)
    assert faster.speed == pytest.approx(1.02)
    assert faster.pauses == pytest.approx(0.925)
    slower = next_pace(Pace(speed=FASTEST, pauses=SHORTEST_PAUSES), 0, 100)
    assert slower.speed == pytest.approx(1.242)
    assert slower.pauses == pytest.approx(0.325)


def test_a_steady_overload_is_caught_up_with_and_then_forgotten():
    """Speech comes in at 1.1 times the rate of hearing for 30 s, then stops coming."""
    pace, backlog_ms, speeds = Pace(), 0.0, []
    for tick in range(3_000):
        arriving = 22.0 if tick < 1_500 else 19.0
        backlog_ms = max(0.0, backlog_ms + arriving - 20 * pace.speed)
        pace = next_pace(pace, backlog_ms, 20)
        speeds.append(pace.speed)
        assert backlog_ms < 1_200
    assert pace == Pace()
    changes = [after - before for before, after in itertools.pairwise(speeds)]
    assert max(map(abs, changes)) <= 0.0041
    turns = sum(a * b < 0 for a, b in itertools.pairwise(changes))
    assert turns <= 4  # it does not hunt


@pytest.mark.parametrize(
    ("backlog_ms", "chars"), [(0, 20), (600, 20), (1_000, 34), (1_600, 60), (2_100, 80), (60_000, 80)]
)
def test_a_chunk_is_as_long_as_the_backlog_covers(backlog_ms, chars):
    assert chunk_chars(backlog_ms, SynthesisCost(fixed_ms=200, per_second_ms=350, chars_per_s=15)) == chars


def test_what_a_synthesizer_costs_is_learned_from_what_it_does():
    cost = SynthesisCost(fixed_ms=200, per_second_ms=350, chars_per_s=15)
    for _ in range(50):
        cost = learned(cost, took_ms=200 + 2 * 800, speech_ms=2_000, chars=24)
    assert (cost.per_second_ms, cost.chars_per_s) == (pytest.approx(800, rel=0.01), pytest.approx(12, rel=0.01))
    assert synthesis_ms(12, cost) == pytest.approx(1_000, rel=0.01)
    assert learned(cost, took_ms=50, speech_ms=0, chars=3) == cost  # it had nothing to say
