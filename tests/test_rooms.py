"""Rooms as values: who is hung up and why, and what interpreting takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.telephony.causes import BUSY, CONGESTION, NO_ANSWER, NORMAL, REJECTED, UNALLOCATED, cause_for_caller
from appliance.telephony.legs import Leg, LegState
from appliance.telephony.rooms import HangUp, Room, after_answer, after_end, farewells, wishes

WAITING, RINGING, TALKING = LegState.WAITING, LegState.RINGING, LegState.TALKING


def room_with(*legs: tuple[str, LegState]) -> Room:
    return Room("r1", 7, tuple(Leg(i, f"channel{i}", language, state) for i, (language, state) in enumerate(legs)))


def call_of_two(state_of_caller: LegState, state_of_callee: LegState) -> Room:
    return room_with(("en", state_of_caller), ("pt-br", state_of_callee))


@pytest.mark.parametrize(
    ("callee_cause", "told"),
    [
        (BUSY, BUSY),
        (NO_ANSWER, NO_ANSWER),
        (REJECTED, REJECTED),
        (UNALLOCATED, UNALLOCATED),
        (CONGESTION, CONGESTION),
        (NORMAL, NO_ANSWER),  # it only stopped ringing
        (0, NO_ANSWER),
    ],
)
def test_a_waiting_caller_is_told_why_nobody_comes(callee_cause: int, told: int) -> None:
    room = after_end(call_of_two(WAITING, RINGING), "channel1")
    assert room.is_over
    assert farewells(room, callee_cause) == [HangUp("channel0", told)]
    assert cause_for_caller(callee_cause) == told


def test_when_the_caller_gives_up_the_callee_stops_ringing() -> None:
    room = after_end(call_of_two(WAITING, RINGING), "channel0")
    assert room.is_over
    assert farewells(room, NORMAL) == [HangUp("channel1", NORMAL)]


def test_an_answer_connects_caller_and_callee() -> None:
    room = after_answer(call_of_two(WAITING, RINGING), "channel1")
    assert [leg.state for leg in room.legs] == [TALKING, TALKING]
    assert not room.is_over


@pytest.mark.parametrize(("leaves", "stays"), [("channel0", "channel1"), ("channel1", "channel0")])
@pytest.mark.parametrize("cause", [NORMAL, BUSY, 0])
def test_whoever_hangs_up_a_call_of_two_ends_it_normally(leaves: str, stays: str, cause: int) -> None:
    room = after_end(call_of_two(TALKING, TALKING), leaves)
    assert room.is_over
    assert farewells(room, cause) == [HangUp(stays, NORMAL)]


def test_of_several_callees_one_busy_phone_does_not_end_the_ringing() -> None:
    room = after_end(room_with(("en", WAITING), ("de", RINGING), ("fr", RINGING)), "channel1")
    assert not room.is_over
    assert after_end(room, "channel2").is_over


def test_a_third_person_keeps_the_room_when_one_leaves() -> None:
    room = after_end(room_with(("en", TALKING), ("de", TALKING), ("fr", TALKING)), "channel0")
    assert not room.is_over
    assert wishes(room).lanes == ((1, "fr"), (2, "de"))


def test_an_answer_that_comes_after_the_end_revives_nobody() -> None:
    room = after_answer(after_end(call_of_two(WAITING, RINGING), "channel1"), "channel1")
    assert room.legs[1].has_gone


def test_two_languages_take_two_lanes_two_booths_two_ears() -> None:
    wanted = wishes(call_of_two(TALKING, TALKING))
    assert wanted.lanes == ((0, "pt-br"), (1, "en"))
    assert wanted.booths == ("pt-br", "en")
    assert wanted.ears == (0, 1)


def test_people_of_one_language_need_no_interpreter() -> None:
    wanted = wishes(room_with(("en", TALKING), ("en", TALKING)))
    assert (wanted.lanes, wanted.booths, wanted.ears) == ((), (), ())


languages = st.lists(st.sampled_from(["en", "de", "fr", "pt-br"]), min_size=2, max_size=6)


@given(languages)
def test_everybody_hears_everybody_in_their_own_language(tags: list[str]) -> None:
    """Through a lane into a booth of their language, or, sharing one, through Asterisk alone."""
    room = room_with(*((tag, TALKING) for tag in tags))
    wanted = wishes(room)
    for speaker in room.legs:
        for listener in room.legs:
            hears_lane = (speaker.index, listener.language) in wanted.lanes and listener.language in wanted.booths
            assert hears_lane == (speaker.language != listener.language)
    assert len(set(wanted.lanes)) == len(wanted.lanes)
