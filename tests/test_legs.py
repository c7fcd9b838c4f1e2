"""Legs: how far one has come, and that gone is for ever."""

import pytest

from appliance.telephony.legs import Leg, LegState


def leg_that_is(state: LegState) -> Leg:
    return Leg(0, "channel", "en", state)


@pytest.mark.parametrize(
    ("state", "is_here"),
    [(LegState.WAITING, True), (LegState.RINGING, False), (LegState.TALKING, True), (LegState.GONE, False)],
)
def test_a_person_is_on_the_line_while_waiting_and_while_talking(state: LegState, is_here: bool) -> None:
    assert leg_that_is(state).is_here is is_here


@pytest.mark.parametrize("state", [LegState.WAITING, LegState.RINGING, LegState.TALKING])
def test_whoever_answers_talks(state: LegState) -> None:
    assert leg_that_is(state).answered().state is LegState.TALKING


@pytest.mark.parametrize("state", list(LegState))
def test_gone_is_for_ever(state: LegState) -> None:
    gone = leg_that_is(state).gone()
    assert gone.has_gone
    assert gone.answered() == gone
