"""Places: nobody shares one, all come back, and a full house says so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.frames import roster
from appliance.frames.roster import Address
from appliance.telephony.legs import Leg, LegState, Voice
from appliance.telephony.places import HouseFullError, Places, Seats, roster_of
from appliance.telephony.rooms import Room, after_end, after_voice, wishes

languages = st.lists(st.sampled_from(["en", "de", "fr", "pt-br"]), min_size=2, max_size=6)
A_CALL = ["en", "pt-br"]


def assert_free(places: Places, max_legs: int, max_lanes: int) -> None:
    """Every single place can be taken."""
    nobody = Room("none", 0, ())
    seats = Seats(
        dict(enumerate(range(max_legs))),
        {(index, "x"): index for index in range(max_lanes)},
        {str(index): index for index in range(max_lanes)},
    )
    places.resume(nobody, seats)


def room_of(tags: list[str]) -> Room:
    return Room("r1", 7, tuple(Leg(i, f"channel{i}", tag, LegState.TALKING) for i, tag in enumerate(tags)))


@given(languages, st.data())
def test_places_are_never_shared_and_all_come_back(tags: list[str], data: st.DataObject) -> None:
    places = Places(max_legs=12, max_lanes=60)
    rooms = [room_of(tags) for _ in range(2)]
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
    assert_free(places, max_legs=12, max_lanes=60)


@pytest.mark.parametrize(("max_legs", "max_lanes"), [(1, 8), (8, 1)])
def test_a_full_house_says_what_is_full_and_keeps_nothing(max_legs: int, max_lanes: int) -> None:
    places, seats = Places(max_legs, max_lanes), Seats()
    with pytest.raises(HouseFullError, match=r"max_legs|max_lanes"):
        places.fit(room_of(A_CALL), seats)
    assert seats == Seats()
    assert_free(places, max_legs, max_lanes)


def test_a_room_from_before_the_restart_gets_its_own_places_back() -> None:
    places, seats = Places(8, 8), Seats({0: 3, 1: 5}, {(0, "pt-br"): 2, (1, "en"): 6}, {"en": 4, "pt-br": 1})
    places.resume(room_of(A_CALL), seats)
    assert seats.legs == {0: 3, 1: 5}
    newcomer = Seats()
    places.fit(room_of(A_CALL), newcomer)
    assert not {3, 5} & set(newcomer.legs.values())
    assert not {2, 6} & set(newcomer.lanes.values())


def test_a_ringing_room_from_before_the_restart_gets_lanes_too() -> None:
    places, seats = Places(8, 8), Seats({0: 3, 1: 5})
    places.resume(room_of(A_CALL), seats)
    assert set(seats.lanes) == {(0, "pt-br"), (1, "en")}


@pytest.mark.parametrize("places", [Places(4, 8), Places(8, 1)])  # the configuration has become smaller
def test_a_room_that_no_longer_fits_takes_nothing(places: Places) -> None:
    with pytest.raises(HouseFullError):
        places.resume(room_of(A_CALL), Seats({0: 3, 1: 5}))


def test_a_place_that_has_just_been_left_is_not_the_next_one_taken() -> None:
    places, first, second = Places(4, 4), Seats(), Seats()
    places.fit(room_of(A_CALL), first)
    places.free(first)
    places.fit(room_of(A_CALL), second)
    assert not {*first.legs.values()} & {*second.legs.values()}


def test_the_roster_says_who_speaks_into_which_booth() -> None:
    seats = Seats({0: 4, 1: 5}, {(0, "pt-br"): 2, (1, "en"): 3}, {"pt-br": 0, "en": 1})
    ear, booth = Address("10.0.0.1", 7000), Address("10.0.0.1", 7002)
    part = roster_of(room_of(A_CALL), seats, {0: ear, 1: None}, {"en": booth})
    assert part.legs == (roster.Leg(4, 7, "r1", "en", ear), roster.Leg(5, 7, "r1", "pt-br", None, index=1))
    assert part.lanes == (roster.Lane(2, 7, 4, "pt-br", 0), roster.Lane(3, 7, 5, "en", 1))
    assert part.booths == (roster.Booth(0, "r1", "pt-br", None), roster.Booth(1, "r1", "en", booth))


def test_the_roster_says_whose_voice_a_leg_speaks_with_and_a_change_moves_nobody() -> None:
    room = after_voice(room_of(A_CALL), room_of(A_CALL).legs[0].channel, Voice("v-ana", "number", 1))
    seats = Seats({0: 4, 1: 5}, {(0, "pt-br"): 2, (1, "en"): 3}, {"pt-br": 0, "en": 1})
    voices = [(leg.speaker, leg.chosen_by, leg.manner) for leg in roster_of(room, seats, {}, {}).legs]
    assert voices == [("v-ana", "number", 1), ("", "", 0)]
    assert wishes(room) == wishes(room_of(A_CALL))
