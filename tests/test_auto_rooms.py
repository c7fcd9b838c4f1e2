"""A leg whose language is `auto`, as a value: where it is, what the room needs, what a restart makes of it."""

import pytest

from appliance.config import AUTO, Config, Route
from appliance.engines.protocols import StreamContext, Transcript, Word
from appliance.frames import roster
from appliance.frames.messages import LanguageFound
from appliance.frames.roster import Address
from appliance.stages.spoken_language import SpokenLanguage
from appliance.telephony.ari_messages import Bridge, Channel, DialplanPosition
from appliance.telephony.legs import Leg, LegState
from appliance.telephony.marks import VARIABLE, LiveRoom, Mark, find_rooms, revive
from appliance.telephony.places import HouseFullError, Places, Seats, roster_of
from appliance.telephony.rooms import Room, after_language, conference, known_as, wishes
from appliance.telephony.routes import Fallback, fallback_of


def call(language: str = AUTO) -> Room:
    """Its caller's language is found out; the callee speaks English."""
    caller = Leg(0, "caller", language, LegState.TALKING, is_auto=True)
    return Room("r1", 7, (caller, Leg(1, "r1-leg1", "en", LegState.TALKING)), "501")


@pytest.mark.parametrize(
    ("language", "with_whom", "lanes", "open_booths"),
    [
        (AUTO, "en", {(0, "en"), (1, AUTO)}, set()),  # with the callee; places are kept, and nobody is interpreted
        ("pt-br", "pt-br", {(0, "en"), (1, "pt-br")}, {"en", "pt-br"}),
        ("en", "en", set(), set()),  # as it turns out, nobody needs an interpreter
    ],
)
def test_what_the_room_needs_depends_on_what_is_known(
    language: str, with_whom: str, lanes: set[tuple[int, str]], open_booths: set[str]
) -> None:
    room = after_language(call(), "caller", language)
    wanted = wishes(room)
    assert conference(room, room.legs[0]) == with_whom
    assert conference(room, room.legs[1]) == "en"
    assert set(wanted.lanes) == lanes
    assert set(wanted.open_booths) == open_booths
    assert 0 in wanted.ears  # asr goes on listening: the language may change


@pytest.mark.parametrize(("found", "known"), [("en", "en"), ("en-us", "en"), ("pt-br", "pt-br")])
def test_people_of_two_countries_who_share_a_language_need_no_interpreter(found: str, known: str) -> None:
    assert known_as(call(), found) == known


def test_a_third_person_is_interpreted_while_one_is_unknown() -> None:
    legs = (*call().legs, Leg(2, "r1-leg2", "de", LegState.TALKING))
    room = Room("r1", 7, legs)
    wanted = wishes(room)
    assert set(wanted.open_booths) == {"en", "de"}
    assert conference(room, room.legs[0]) == "en"


def test_the_roster_says_what_has_been_found_out() -> None:
    places, seats, room = Places(2, 2), Seats(), call()
    places.fit(room, seats)
    part = roster_of(room, seats, {}, {})
    assert [(leg.language, leg.found) for leg in part.legs] == [(AUTO, ""), ("en", "")]
    assert [(lane.leg, lane.target_language) for lane in part.lanes] == [(seats.legs[0], "en")]
    assert [booth.language for booth in part.booths] == ["en"]

    room = after_language(room, "caller", "pt-br")
    places.refit(room, seats)
    part = roster_of(room, seats, {}, {})
    assert part.legs[0] == roster.Leg(seats.legs[0], 7, "r1", AUTO, None, "501", "pt-br")
    assert [lane.target_language for lane in part.lanes] == ["en", "pt-br"]


def test_in_a_full_house_the_place_for_an_unknown_language_is_kept() -> None:
    places, seats, others = Places(4, 3), Seats(), Seats()
    places.fit(call(), seats)
    with pytest.raises(HouseFullError):
        places.fit(call(), others)
    for language in ("pt-br", "es", "pt-br"):
        places.refit(after_language(call(), "caller", language), seats)
        assert set(seats.lanes) == {(0, "en"), (1, language)}


def test_who_turned_out_to_need_no_interpreter_may_find_no_place_later() -> None:
    places, seats, others = Places(4, 2), Seats(), Seats()
    places.fit(call(), seats)
    room = after_language(call(), "caller", "en")
    places.refit(room, seats)
    places.fit(call(), others)
    with pytest.raises(HouseFullError):
        places.refit(after_language(room, "caller", "pt-br"), seats)
    places.fit(room, seats)  # and everything stays as it is
    assert set(seats.legs) == {0, 1}


@pytest.mark.parametrize(
    ("route", "fallback"),
    [
        (Route("501", AUTO, "en", "PJSIP/ben"), Fallback("en", 20)),  # the first language of the box
        (Route("501", AUTO, "en", "PJSIP/ben", fallback_language="pt-br", fallback_s=5), Fallback("pt-br", 5)),
    ],
)
def test_the_fallback_is_the_routes_or_the_boxs_first_language(route: Route, fallback: Fallback) -> None:
    assert fallback_of(Config(routes=(route,)), "501") == fallback


def marked(name: str, mark: Mark, context: str, exten: str = "") -> Channel:
    variables = {VARIABLE: mark.text(), "UNICASTRTP_LOCAL_ADDRESS": "127.0.0.1", "UNICASTRTP_LOCAL_PORT": "7000"}
    return Channel(name, "Up", dialplan=DialplanPosition(context, exten), channelvars=variables)


def revived(known: str, caller_in: str, booths: dict[str, str], ears: tuple[int, ...] = (0, 1)) -> LiveRoom | None:
    """After a restart: what asr had found out, the conference the caller is in, and each booth's context."""

    def mark(role: str, language: str, **fields: object) -> Mark:
        return Mark("dragoman", "r1", 7, role, language, **fields)  # type: ignore[arg-type]

    channels = [
        marked("caller", mark("leg", AUTO, place=4, leg=0, is_auto=True), "dragoman-room", f"r1-{caller_in}"),
        marked("r1-leg1", mark("leg", "en", place=5, leg=1), "dragoman-room", "r1-en"),
        marked("r1-ear0", mark("ear", known, leg=0, lanes={"en": 2}), "dragoman-in"),
        marked("r1-ear1", mark("ear", "en", leg=1, lanes={known: 3}), "dragoman-in"),
        *(marked(f"r1-booth-{tag}", mark("booth", tag, place=0), context) for tag, context in booths.items()),
    ]
    bridges = [Bridge(f"r1-bridge{i}", "dragoman", (f"r1-ear{i}", f"r1-snoop{i}")) for i in ears]
    return revive(find_rooms(channels, "dragoman")["r1"], bridges)


def test_a_restart_knows_what_had_been_found_out() -> None:
    live = revived("pt-br", "pt-br", {"en": "dragoman-booth", "pt-br": "dragoman-booth"})
    assert live is not None
    assert [(leg.language, leg.is_auto) for leg in live.room.legs] == [("pt-br", True), ("en", False)]
    assert live.conferences == {0: "pt-br", 1: "en"}
    assert set(live.booths) == {"en", "pt-br"}
    assert live.torn == ((), ())


@pytest.mark.parametrize(
    ("booths", "torn"),
    [
        ({}, ()),  # killed before they were made
        ({"en": "dragoman-booth", "pt-br": "dragoman-in"}, ("pt-br",)),  # ... before it was in its conference
        ({"en": "dragoman-booth", "es": "dragoman-booth"}, ("es",)),  # ... before the old one was deleted
    ],
)
def test_a_restart_in_the_middle_of_a_change_goes_on_with_it(booths: dict[str, str], torn: tuple[str, ...]) -> None:
    live = revived("pt-br", "en", booths)
    assert live is not None
    assert live.room.legs[0].language == "pt-br"
    assert live.conferences[0] == "en"  # where it is now; its host moves it
    assert live.torn == ((), torn)


def test_a_restart_before_an_ear_was_whole_makes_it_anew() -> None:
    live = revived(AUTO, "en", {}, ears=(0,))
    assert live is not None
    assert live.ears == {0: Address("127.0.0.1", 7000)}
    assert live.torn == ((1,), ())


LEG = roster.Leg(4, 7, "r1", AUTO, None)


def transcript(language: str, *, final: bool = True, decided: bool | None = None, foreign: str = "") -> Transcript:
    words = (Word("word", 0, 2_000_000_000),)
    return Transcript(StreamContext("r1", "leg4"), 1, 0, final, language, words, decided=decided, foreign=foreign)


def told(transcripts: list[Transcript]) -> list[str]:
    spoken = SpokenLanguage(LEG, ("en", "pt-br"))
    return [found.language if (found := spoken.hear(each)) else "" for each in transcripts]


def test_nothing_is_told_before_the_recognizer_has_decided() -> None:
    guess = transcript("en", decided=False)
    assert told([guess, guess]) == ["", ""]


def test_a_decision_is_told_at_once_and_then_with_each_utterance() -> None:
    grows, ends = transcript("pt-br", final=False, decided=True), transcript("pt-br", decided=True)
    assert told([grows, grows, ends, transcript("en", final=False, decided=True)]) == ["pt-br", "", "pt-br", "en"]


def test_an_engine_that_judges_each_utterance_alone_is_believed_reluctantly() -> None:
    portuguese, english = transcript("pt"), transcript("en")
    assert told([portuguese, portuguese, english, portuguese]) == ["pt-br"] * 4
    assert told([portuguese] + [english] * 12)[-1] == "en"


def test_an_engine_that_does_not_say_is_not_believed() -> None:
    assert told([transcript(AUTO), transcript("")] * 4) == [""] * 8


def test_a_language_that_nobody_interprets_is_named() -> None:
    spoken = SpokenLanguage(LEG, ("en", "pt-br"))
    assert spoken.hear(transcript("en", decided=True, foreign="hu")) == LanguageFound(4, 7, "en", "hu")
