"""Calls as phone users meet them: who is called, who is heard, and who cannot be reached."""

import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from call_site import (
    RING_S,
    TRUNK_HOST,
    Appliance,
    Site,
    addresses_in,
    booth_of,
    connect,
    ear_of,
    has_tone,
    hears,
    tone,
    wait_until,
)

from appliance.demo.child import free_ports
from appliance.demo.softphone import Answering, Softphone
from appliance.frames.roster import Roster

pytestmark = pytest.mark.call

STRANGER_HOST = "127.0.0.3"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture
def appliance(site: Site) -> Iterator[Appliance]:
    with site.appliance() as made:
        yield made


def test_the_caller_hears_ringing_and_then_both_are_in_the_room(
    site: Site, appliance: Appliance, ann: Softphone, ben: Softphone
) -> None:
    ann.call("101")
    ringing, established = ann.wait_for("RINGING"), ann.wait_for("ESTABLISHED")
    assert ringing.at_ns < established.at_ns
    assert ben.wait_for("ESTABLISHED").peer == "sip:ann@127.0.0.1"  # ben's phone shows who calls

    wait_until(lambda: len(addresses_in(appliance.roster)) == 4, "two ears and two booths are in the roster")
    roster = appliance.roster
    assert [(leg.language, leg.route) for leg in roster.legs] == [("en", "101"), ("pt-br", "101")]
    assert [lane.target_language for lane in roster.lanes] == ["pt-br", "en"]
    assert [booth.language for booth in roster.booths] == ["pt-br", "en"]
    assert len({each.call for each in (*roster.legs, *roster.lanes)}) == 1
    for leg in roster.legs:
        wait_until(lambda ear=leg.ear: site.media.packets(ear) > 10, f"the ear of {leg.language} sends")


def test_each_ear_hears_its_own_person_only(site: Site, appliance: Appliance, ann: Softphone, ben: Softphone) -> None:
    connect(ann, "101", ben)
    ann.say(tone(700, 3))
    wait_until(lambda: has_tone(site.media.heard(ear_of(appliance, "en")), 700), "the box hears ann")
    assert np.abs(site.media.heard(ear_of(appliance, "pt-br"))).max() < 500
    assert not hears(ben, 700)  # ben gets the interpreter, not ann


def test_a_booth_is_heard_by_those_of_its_language_only(
    site: Site, appliance: Appliance, ann: Softphone, ben: Softphone
) -> None:
    connect(ann, "101", ben)
    site.media.speak(booth_of(appliance, "pt-br"), tone(900, 1.5))
    assert hears(ben, 900)
    assert not hears(ann, 900)
    assert np.abs(site.media.heard(ear_of(appliance, "pt-br"))).max() < 500  # the interpreter does not hear itself


def test_what_a_phone_hears_in_a_room_keeps_its_timing(
    site: Site, appliance: Appliance, ann: Softphone, ben: Softphone
) -> None:
    connect(ann, "101", ben)
    silence, beep = np.zeros(16_000, np.int16), tone(900, 0.2)
    site.media.speak(booth_of(appliance, "pt-br"), np.concatenate([beep, silence, beep, silence[:8000]]))
    ann.hang_up()
    ben.wait_for("CLOSED")
    recording = ben.heard()
    assert recording is not None
    with wave.open(str(recording)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    loud = np.flatnonzero(np.abs(samples) > 3000)
    gap_s = np.diff(loud).max() / ben.codec.rate_hz
    assert gap_s == pytest.approx(1.0, abs=0.06)


def test_people_of_one_language_hear_each_other_without_the_box(
    appliance: Appliance, ann: Softphone, ben: Softphone
) -> None:
    connect(ann, "300", ben)
    assert appliance.roster == Roster()
    ann.say(tone(700, 3))
    wait_until(lambda: hears(ben, 700), "ben hears ann herself")


@pytest.mark.parametrize(
    ("answering", "status"), [(Answering.BUSY, "486 Busy Here"), (Answering.NEVER, "480 Temporarily Unavailable")]
)
def test_a_callee_who_does_not_come(
    site: Site, appliance: Appliance, ann: Softphone, answering: Answering, status: str
) -> None:
    with site.phone("ben", answering) as ben:
        ann.call("101")
        ann.wait_for("RINGING")
        assert ann.wait_for("CLOSED", RING_S + 5).detail == status
        ben.wait_for("CLOSED")
    assert appliance.roster == Roster()


@pytest.mark.parametrize(
    ("number", "status"),
    [
        ("999", "404 Not Found"),  # nobody has it
        ("info", "404 Not Found"),
        ("102", "480 Temporarily Unavailable"),  # cleo's phone is switched off
        ("400", "480 Temporarily Unavailable"),  # a phone that Asterisk does not know
    ],
)
def test_a_number_where_nobody_can_be_reached(appliance: Appliance, ann: Softphone, number: str, status: str) -> None:
    ann.call(number)
    assert ann.wait_for("CLOSED").detail == status
    assert appliance.roster == Roster()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("486 Busy Here", "486 Busy Here"),
        ("603 Decline", "403 Forbidden"),
        ("404 Not Found", "404 Not Found"),
        ("503 Service Unavailable", "503 Service Unavailable"),
    ],
)
@pytest.mark.usefixtures("appliance")
def test_what_the_pbx_answers_reaches_the_caller(site: Site, ann: Softphone, answer: str, told: str) -> None:
    site.pbx.answer = answer
    ann.call("200")
    assert ann.wait_for("CLOSED").detail == told
    assert site.pbx.callers[-1] == "ann"


def dial_from(host: str, number: str, site: Site, log_path: Path) -> int:
    """Call as a PBX at this address does, talk for 300 ms and hang up; 0: all went well."""
    caller = ["sipp", "-sn", "uac", "-i", host, "-p", str(free_ports(1, host)[0]), "-s", number]
    limits = ["-m", "1", "-d", "300", "-timeout", "10", "-nostdin"]
    with log_path.open("wb") as log:
        server = f"127.0.0.1:{site.config.asterisk.sip_port}"
        command = [*caller, *limits, server]
        return subprocess.run(command, stdout=log, stderr=log, timeout=20, check=False, cwd=log_path.parent).returncode


@pytest.mark.usefixtures("appliance")
def test_a_call_that_comes_in_through_the_trunk(site: Site, ben: Softphone, tmp_path: Path) -> None:
    assert dial_from(TRUNK_HOST, "101", site, tmp_path / "sipp.log") == 0
    assert ben.wait_for("ESTABLISHED").peer == "sip:sipp@127.0.0.1"
    ben.wait_for("CLOSED")


@pytest.mark.usefixtures("appliance")
def test_a_stranger_cannot_call(site: Site, tmp_path: Path) -> None:
    assert dial_from(STRANGER_HOST, "101", site, tmp_path / "sipp.log") != 0
    assert site.is_empty()


@pytest.mark.usefixtures("appliance")
def test_a_caller_who_gives_up_stops_the_ringing(site: Site, ann: Softphone) -> None:
    with site.phone("ben", Answering.NEVER) as ben:
        ann.call("101")
        ann.wait_for("RINGING")
        ben.wait_for("INCOMING")
        ann.hang_up()
        ben.wait_for("CLOSED", RING_S - 0.5)
        wait_until(site.is_empty, "nothing rings any more")


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_whoever_hangs_up_ends_the_call_for_both(
    site: Site, appliance: Appliance, ann: Softphone, ben: Softphone, who: str
) -> None:
    connect(ann, "101", ben)
    leaves, stays = (ann, ben) if who == "caller" else (ben, ann)
    leaves.hang_up()
    stays.wait_for("CLOSED")
    wait_until(site.is_empty, "everything is deleted")
    wait_until(lambda: appliance.roster == Roster(), "the roster is empty")


def test_three_calls_at_once_are_three_rooms(site: Site, appliance: Appliance, ann: Softphone, ben: Softphone) -> None:
    with site.phone("cleo") as cleo, site.phone("dan") as dan, site.phone("eve") as eve, site.phone("fay") as fay:
        for caller, number in ((ann, "101"), (cleo, "103"), (eve, "105")):
            caller.call(number)
        for phone in (ann, ben, cleo, dan, eve, fay):
            phone.wait_for("ESTABLISHED")
        wait_until(lambda: len(addresses_in(appliance.roster)) == 12, "six ears and six booths are in the roster")
        roster = appliance.roster
        assert len({leg.room for leg in roster.legs}) == 3
        assert len({leg.place for leg in roster.legs}) == 6
        assert len({lane.place for lane in roster.lanes}) == 6

        ann.hang_up()
        ben.wait_for("CLOSED")
        wait_until(lambda: len(appliance.roster.legs) == 4, "the other two go on")
        eve.say(tone(700, 3))
        ears = {leg.ear for leg in appliance.roster.legs}
        wait_until(lambda: sum(has_tone(site.media.heard(ear), 700) for ear in ears) == 1, "one ear hears eve")


def test_a_full_house_turns_the_next_caller_away(site: Site, ann: Softphone, ben: Softphone) -> None:
    with site.appliance(max_legs=2, max_lanes=2) as appliance:
        connect(ann, "101", ben)
        with site.phone("cleo") as cleo, site.phone("dan"):
            cleo.call("103")
            assert cleo.wait_for("CLOSED").detail == "503 Service Unavailable"
            ann.hang_up()
            ben.wait_for("CLOSED")
            wait_until(lambda: appliance.roster == Roster(), "the house is empty")
            cleo.call("103")
            cleo.wait_for("ESTABLISHED")
