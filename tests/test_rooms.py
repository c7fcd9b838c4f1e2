"""Rooms, places and marks as values: who is hung up and why, what interpreting takes, what survives a restart."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.frames import roster
from appliance.frames.roster import Address
from appliance.telephony.ari_messages import Bridge, Channel, DialplanPosition
from appliance.telephony.causes import BUSY, CONGESTION, NO_ANSWER, NORMAL, REJECTED, UNALLOCATED, cause_for_caller
from appliance.telephony.legs import Leg, LegState
from appliance.telephony.marks import VARIABLE, Mark, find_rooms, mark_of, revive
from appliance.telephony.places import HouseFullError, Places, Seats, roster_of
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


@given(languages, st.data())
def test_places_are_never_shared_and_all_come_back(tags: list[str], data: st.DataObject) -> None:
    places = Places(max_legs=12, max_lanes=60)
    rooms = [room_with(*((tag, TALKING) for tag in tags)) for _ in range(2)]
    seats = [Seats(), Seats()]
    for room, taken in zip(rooms, seats, strict=True):
        places.fit(room, taken)
    for kind in ("legs", "lanes", "booths"):
        numbers = [place for taken in seats for place in getattr(taken, kind).values()]
        assert len(set(numbers)) == len(numbers)

    smaller = after_end(rooms[0], data.draw(st.sampled_from([leg.channel for leg in rooms[0].legs])))
    kept = dict(seats[0].legs)
    places.fit(smaller, seats[0])
    assert seats[0].legs.items() <= kept.items()
    assert set(seats[0].lanes) == set(wishes(smaller).lanes)

    for taken in seats:
        places.free(taken)
    everything = Seats(dict(enumerate(range(12))), {(i, "x"): i for i in range(60)}, {str(i): i for i in range(60)})
    places.claim(everything)


@pytest.mark.parametrize(("max_legs", "max_lanes"), [(1, 8), (8, 1)])
def test_a_full_house_says_what_is_full_and_keeps_nothing(max_legs: int, max_lanes: int) -> None:
    places, seats = Places(max_legs, max_lanes), Seats()
    with pytest.raises(HouseFullError, match=r"max_legs|max_lanes"):
        places.fit(call_of_two(WAITING, RINGING), seats)
    assert seats == Seats()
    places.claim(Seats(legs={0: 0}, lanes={(0, "en"): 0}, booths={"en": 0}))


def test_a_place_that_has_just_been_left_is_not_the_next_one_taken() -> None:
    places, first, second = Places(4, 4), Seats(), Seats()
    places.fit(call_of_two(WAITING, RINGING), first)
    places.free(first)
    places.fit(call_of_two(WAITING, RINGING), second)
    assert not {*first.legs.values()} & {*second.legs.values()}


def test_the_roster_says_who_speaks_into_which_booth() -> None:
    seats = Seats({0: 4, 1: 5}, {(0, "pt-br"): 2, (1, "en"): 3}, {"pt-br": 0, "en": 1})
    ear, booth = Address("10.0.0.1", 7000), Address("10.0.0.1", 7002)
    part = roster_of(call_of_two(TALKING, TALKING), seats, {0: ear, 1: None}, {"en": booth})
    assert part.legs == (roster.Leg(4, 7, "r1", "en", ear), roster.Leg(5, 7, "r1", "pt-br", None))
    assert part.lanes == (roster.Lane(2, 7, 4, "pt-br", 0), roster.Lane(3, 7, 5, "en", 1))
    assert part.booths == (roster.Booth(0, "r1", "pt-br", None), roster.Booth(1, "r1", "en", booth))


def marked(name: str, mark: Mark, state: str = "Up", context: str = "", port: int = 0) -> Channel:
    variables = {VARIABLE: mark.text(), "UNICASTRTP_LOCAL_ADDRESS": "127.0.0.1", "UNICASTRTP_LOCAL_PORT": str(port)}
    return Channel(name, state, dialplan=DialplanPosition(context), channelvars=variables)


def leg_mark(index: int, language: str) -> Mark:
    return Mark("dragoman", "r1", 7, "leg", language, place=index + 4, leg=index)


def a_running_room() -> tuple[list[Channel], list[Bridge]]:
    ear0 = Mark("dragoman", "r1", 7, "ear", "en", leg=0, lanes={"pt-br": 2})
    ear1 = Mark("dragoman", "r1", 7, "ear", "pt-br", leg=1, lanes={"en": 3})
    channels = [
        marked("caller", leg_mark(0, "en"), context="dragoman-room"),
        marked("r1-leg1", leg_mark(1, "pt-br"), context="dragoman-room"),
        marked("r1-ear0", ear0, port=7000),
        marked("r1-ear1", ear1, port=7002),
        Channel("r1-snoop0", "Up"),
        Channel("r1-snoop1", "Up"),
        marked("r1-booth-en", Mark("dragoman", "r1", 7, "booth", "en", place=0), context="dragoman-booth", port=7004),
        marked("r1-booth-pt-br", Mark("dragoman", "r1", 7, "booth", "pt-br", place=1), "Up", "dragoman-booth", 7006),
        Channel("somebody-elses", "Up"),
    ]
    return channels, [Bridge(f"r1-bridge{i}", "dragoman", (f"r1-ear{i}", f"r1-snoop{i}")) for i in range(2)]


def test_a_running_room_is_found_again_with_its_places_and_addresses() -> None:
    channels, bridges = a_running_room()
    live = revive(find_rooms(channels, "dragoman")["r1"], bridges)
    assert live is not None
    assert live.room.number == 7
    assert [(leg.channel, leg.language, leg.state) for leg in live.room.legs] == [
        ("caller", "en", TALKING),
        ("r1-leg1", "pt-br", TALKING),
    ]
    assert live.seats == Seats({0: 4, 1: 5}, {(0, "pt-br"): 2, (1, "en"): 3}, {"en": 0, "pt-br": 1})
    assert live.ears == {0: Address("127.0.0.1", 7000), 1: Address("127.0.0.1", 7002)}
    assert live.booths == {"en": Address("127.0.0.1", 7004), "pt-br": Address("127.0.0.1", 7006)}


@pytest.mark.parametrize("missing", ["caller", "r1-leg1", "r1-ear0", "r1-booth-en"])
def test_a_room_that_lacks_a_part_cannot_go_on(missing: str) -> None:
    channels, bridges = a_running_room()
    rest = [channel for channel in channels if channel.id != missing]
    assert revive(find_rooms(rest, "dragoman")["r1"], bridges) is None


def test_a_room_caught_before_its_ears_were_bridged_cannot_go_on() -> None:
    channels, bridges = a_running_room()
    assert revive(find_rooms(channels, "dragoman")["r1"], bridges[:1]) is None


def test_a_room_in_which_a_leg_has_not_arrived_cannot_go_on() -> None:
    channels, bridges = a_running_room()
    channels[0] = marked("caller", leg_mark(0, "en"), context="dragoman-in")
    assert revive(find_rooms(channels, "dragoman")["r1"], bridges) is None


def test_ringing_goes_on_after_a_restart() -> None:
    channels = [marked("caller", leg_mark(0, "en"), "Ring"), marked("r1-leg1", leg_mark(1, "pt-br"), "Ringing")]
    live = revive(find_rooms(channels, "dragoman")["r1"], [])
    assert live is not None
    assert [leg.state for leg in live.room.legs] == [WAITING, RINGING]


def test_the_channels_of_another_appliance_are_none_of_ours() -> None:
    channels, _ = a_running_room()
    assert not find_rooms(channels, "other")
    assert mark_of(Channel("x", channelvars={VARIABLE: "not ours"}), "dragoman") is None


def test_leg_states_are_for_ever_once_gone() -> None:
    leg = Leg(0, "c", "en", WAITING)
    assert leg.is_here
    assert not leg.gone().is_here
    assert leg.gone().answered() == leg.gone()
    assert replace(leg, state=RINGING).answered().state is TALKING
