"""A leg whose language is `auto`, as phone users meet it: real Asterisk and softphones; what asr finds out is told."""

import os
import time
from collections.abc import Iterator

import pytest
from call_site import (
    Appliance,
    Site,
    booth_of,
    connect,
    ear_of,
    has_tone,
    hears,
    tone,
    wait_until,
)

from appliance.config import Route
from appliance.demo.softphone import Softphone
from appliance.frames.messages import HealthEvent, JournalEntry, LanguageFound
from appliance.frames.roster import Roster
from appliance.frames.text import TextWriter

pytestmark = pytest.mark.call

CALLER, CALLEE, HASTY = "501", "502", "503"
FALLBACK_S = 2
ROUTES = (
    Route(CALLER, "auto", "en", "PJSIP/ben", fallback_s=600),
    Route(CALLEE, "en", "auto", "PJSIP/ben", fallback_s=600),
    Route(HASTY, "auto", "en", "PJSIP/ben", fallback_language="pt-br", fallback_s=FALLBACK_S),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("site"), ROUTES) as made:
        yield made


@pytest.fixture
def appliance(site: Site) -> Iterator[Appliance]:
    with site.appliance() as made:
        yield made


def asr_finds(appliance: Appliance, language: str, foreign: str = "") -> None:
    """Tell it as asr does."""
    leg = next(leg for leg in appliance.roster.legs if leg.language == "auto")
    TextWriter(appliance.memory.writer("languages")).write(LanguageFound(leg.place, leg.call, language, foreign))


def found(appliance: Appliance) -> str:
    return next(leg.found for leg in appliance.roster.legs if leg.language == "auto")


def is_in(site: Site, phone: str, conference: str) -> bool:
    """Whether a phone's channel is in the conference of that language."""
    return any(
        str(channel["name"]).startswith(f"PJSIP/{phone}-")
        and str(channel["dialplan"]["exten"]).endswith(f"-{conference}")  # type: ignore[index]
        for channel in site.ari("/channels")
    )


def told(appliance: Appliance) -> list[str]:
    """What operators have been told is not as it should be."""
    entries = TextWriter(appliance.memory.writer("journal", "calls")).written(JournalEntry)
    return [each.action for each in entries if isinstance(each, HealthEvent) and each.status == "DEGRADED"]


def become(site: Site, appliance: Appliance, phone: str, language: str) -> None:
    asr_finds(appliance, language)
    wait_until(lambda: found(appliance) == language, f"the roster says {language}")
    wait_until(lambda: is_in(site, phone, language), f"{phone} is moved")


def test_until_it_is_known_both_hear_each_other_as_they_are(
    site: Site, appliance: Appliance, ann: Softphone, ben: Softphone
) -> None:
    connect(ann, CALLER, ben)
    roster = appliance.roster
    assert [(leg.language, leg.found) for leg in roster.legs] == [("auto", ""), ("en", "")]
    assert [lane.target_language for lane in roster.lanes] == ["en"]  # what ann says is translated from her first word
    assert [booth.address for booth in roster.booths] == [None]  # and waits
    ann.say(tone(700, 3))
    wait_until(lambda: hears(ben, 700), "ben hears ann herself")
    wait_until(lambda: has_tone(site.media.heard(ear_of(appliance, "auto")), 700), "the box hears ann")
    ben.say(tone(900, 3))
    wait_until(lambda: hears(ann, 900), "ann hears ben himself")


@pytest.mark.parametrize(("number", "phone"), [(CALLER, "ann"), (CALLEE, "ben")])
def test_when_it_is_known_each_hears_the_interpreter(
    site: Site, appliance: Appliance, ann: Softphone, ben: Softphone, number: str, phone: str
) -> None:
    auto, other = (ann, ben) if phone == "ann" else (ben, ann)
    connect(ann, number, ben)
    become(site, appliance, phone, "pt-br")
    roster = appliance.roster
    assert sorted(lane.target_language for lane in roster.lanes) == ["en", "pt-br"]
    assert all(booth.address for booth in roster.booths)
    site.media.speak(booth_of(appliance, "pt-br"), tone(700, 1.5))
    assert hears(auto, 700)
    assert not hears(other, 700)
    site.media.speak(booth_of(appliance, "en"), tone(900, 1.5))
    assert hears(other, 900)
    assert not hears(auto, 900)
    wait_until(lambda: site.media.packets(ear_of(appliance, "en")) > 10, "the other one is heard as well")


def test_who_changes_the_language_is_followed_and_the_call_goes_on(
    site: Site, appliance: Appliance, ann: Softphone, ben: Softphone
) -> None:
    connect(ann, CALLER, ben)
    become(site, appliance, "ann", "pt-br")
    ear = ear_of(appliance, "auto")
    become(site, appliance, "ann", "es")
    assert sorted(lane.target_language for lane in appliance.roster.lanes) == ["en", "es"]
    site.media.speak(booth_of(appliance, "es"), tone(700, 1.5))
    assert hears(ann, 700)
    ann.say(tone(900, 3))
    wait_until(lambda: has_tone(site.media.heard(ear), 900), "the same ear hears ann")
    assert told(appliance) == []

    become(site, appliance, "ann", "en")  # as ben does
    wait_until(lambda: not appliance.roster.lanes, "nobody needs an interpreter")
    ben.say(tone(900, 3))
    wait_until(lambda: hears(ann, 900), "ann hears ben himself")

    become(site, appliance, "ann", "es")  # asr has listened all the time
    site.media.speak(booth_of(appliance, "es"), tone(700, 1.5))
    assert hears(ann, 700)
    ann.hang_up()
    ben.wait_for("CLOSED")
    wait_until(lambda: appliance.roster == Roster(), "the roster is empty")


def test_who_says_nothing_is_taken_to_speak_the_fallback_language(
    site: Site, appliance: Appliance, ann: Softphone, ben: Softphone
) -> None:
    connect(ann, HASTY, ben)
    assert found(appliance) == ""
    wait_until(lambda: found(appliance) == "pt-br", "the time is up", FALLBACK_S + 5)
    wait_until(lambda: is_in(site, "ann", "pt-br"), "ann is moved")
    become(site, appliance, "ann", "es")  # and is asked again when asr knows


def test_a_language_that_nobody_interprets_becomes_the_fallback_language(
    site: Site, appliance: Appliance, ann: Softphone, ben: Softphone
) -> None:
    connect(ann, CALLER, ben)
    asr_finds(appliance, "pt-br", foreign="hu")
    wait_until(lambda: found(appliance) == "en", "the box's first language")
    assert is_in(site, "ann", "en")
    assert told(appliance) == ['somebody speaks "hu", which nobody here interprets; taken for "en"']


@pytest.mark.parametrize("language", ["", "pt-br"])
def test_a_killed_calls_process_goes_on_with_a_leg_whose_language_is_found_out(
    site: Site, appliance: Appliance, ann: Softphone, ben: Softphone, language: str
) -> None:
    connect(ann, CALLER, ben)
    if language:
        become(site, appliance, "ann", language)
        wait_until(
            lambda: not [booth for booth in appliance.roster.booths if not booth.address], "the booths are there"
        )
    before = appliance.roster
    appliance.kill()
    appliance.start()
    wait_until(lambda: appliance.roster.legs == before.legs, "the same legs")
    become(site, appliance, "ann", "es")
    site.media.speak(booth_of(appliance, "es"), tone(700, 1.5))
    assert hears(ann, 700)


@pytest.mark.parametrize("delay_ms", [100, 130, 160, 200])
def test_killed_at_any_moment_of_a_move_it_mends_the_room(
    site: Site, appliance: Appliance, ann: Softphone, ben: Softphone, delay_ms: int
) -> None:
    connect(ann, CALLER, ben)
    asr_finds(appliance, "pt-br")
    time.sleep(delay_ms / 1000)
    appliance.kill()
    appliance.start()
    become(site, appliance, "ann", "pt-br")  # asr tells it with each utterance
    wait_until(lambda: booth_of(appliance, "pt-br"), "the booth is there")
    site.media.speak(booth_of(appliance, "pt-br"), tone(700, 1.5))
    assert hears(ann, 700)


def test_a_house_that_becomes_full_keeps_the_places_of_who_is_not_known_yet(
    site: Site, ann: Softphone, ben: Softphone
) -> None:
    with site.appliance(instance=f"auto-full-{os.getpid()}", max_legs=2, max_lanes=2) as appliance:
        connect(ann, CALLER, ben)
        become(site, appliance, "ann", "pt-br")
        become(site, appliance, "ann", "es")
        assert sorted(lane.target_language for lane in appliance.roster.lanes) == ["en", "es"]
