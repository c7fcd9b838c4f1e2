"""When a lane's listeners hear the original instead of its translation, and how the one becomes the other."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.recovery.ladder import DOWN_AFTER_MS, RAISE_STEPS, UP_AFTER_MS, Rung, next_rung

TICK_MS = 20


def lived(*stretches: tuple[bool, bool, int]) -> list[Rung]:
    """Every rung, tick by tick: (able, speaking, so many ms)."""
    rungs = [Rung()]
    for able, speaking, duration_ms in stretches:
        for _ in range(duration_ms // TICK_MS):
            rungs.append(next_rung(rungs[-1], able, speaking, TICK_MS))
    return rungs


@pytest.mark.parametrize(
    ("stretches", "down"),
    [
        ([(True, False, 60_000)], False),
        ([(False, False, DOWN_AFTER_MS - TICK_MS)], False),  # a restart
        ([(False, False, DOWN_AFTER_MS)], True),
        ([(False, False, 400), (True, False, 20), (False, False, 400)], False),
        ([(False, True, 60_000)], False),  # there is something left to hear
        ([(False, True, 60_000), (False, False, TICK_MS)], True),
        ([(False, False, 600), (True, False, UP_AFTER_MS - TICK_MS)], True),
        ([(False, False, 600), (True, False, UP_AFTER_MS)], False),
        ([(False, False, 600), (True, False, 900), (False, False, 100), (True, False, 900)], True),
        ([(False, False, 600), (False, True, TICK_MS)], False),  # somebody translates after all
    ],
)
def test_a_lane_goes_down_when_nobody_can_interpret_it_and_up_when_somebody_can_again(stretches, down):
    assert lived(*stretches)[-1].down is down


def test_the_original_is_at_full_level_200_ms_after_the_step_down_and_soft_200_ms_after_the_step_up():
    rungs = lived((False, False, 1000), (True, False, 2000))
    first_down = next(place for place, rung in enumerate(rungs) if rung.down)
    first_up = next(place for place, rung in enumerate(rungs) if place > first_down and not rung.down)
    assert rungs[first_down + 9].raised == rungs[first_up - 1].raised == RAISE_STEPS
    assert rungs[first_up + 9].raised == 0
    assert rungs[-1].is_at_rest


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 2000)), max_size=20))
def test_the_level_never_jumps_and_a_healthy_lane_comes_to_rest(stretches):
    rungs = lived(*stretches, (True, False, UP_AFTER_MS + 400))
    assert all(abs(after.raised - before.raised) <= 1 for before, after in pairwise(rungs))
    assert all(0 <= rung.raised <= RAISE_STEPS for rung in rungs)
    assert rungs[-1].is_at_rest
