"""Calls while the appliance is not there: never started, killed at any moment, stopped, or without its Asterisk."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from call_site import RING_S, Appliance, Site, booth_of, connect, ear_of, has_tone, hears, tone, wait_until
from msgspec.structs import replace

from appliance.demo.softphone import Answering, Softphone
from appliance.frames.roster import Roster

pytestmark = pytest.mark.call


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture
def appliance(site: Site) -> Iterator[Appliance]:
    with site.appliance() as made:
        yield made


def test_without_the_appliance_people_are_connected_as_they_are(site: Site, ann: Softphone, ben: Softphone) -> None:
    connect(ann, "101", ben)
    ann.say(tone(700, 3))
    wait_until(lambda: hears(ben, 700), "ben hears ann herself")
    ann.hang_up()
    ben.wait_for("CLOSED")
    wait_until(site.is_empty, "nothing is left in Asterisk")


@pytest.mark.parametrize(
    ("answering", "status"), [(Answering.BUSY, "486 Busy Here"), (Answering.NEVER, "480 Temporarily Unavailable")]
)
def test_without_the_appliance_a_callee_who_does_not_come(
    site: Site, ann: Softphone, answering: Answering, status: str
) -> None:
    with site.phone("ben", answering):
        ann.call("101")
        assert ann.wait_for("CLOSED", RING_S + 5).detail == status
    ann.call("999")
    assert ann.wait_for("CLOSED").detail == "404 Not Found"


def test_a_killed_calls_process_is_not_noticed_by_those_who_talk(
    site: Site, appliance: Appliance, ann: Softphone, ben: Softphone
) -> None:
    connect(ann, "101", ben)
    before = appliance.roster
    appliance.kill()
    appliance.start()
    wait_until(lambda: appliance.roster == before, "the same room, with the same places and addresses")
    site.media.speak(booth_of(appliance, "pt-br"), tone(900, 1.5))
    assert hears(ben, 900)
    ann.say(tone(700, 3))
    wait_until(lambda: has_tone(site.media.heard(ear_of(appliance, "en")), 700), "the box hears ann")
    ben.hang_up()
    ann.wait_for("CLOSED")
    wait_until(site.is_empty, "everything is deleted")

    connect(ann, "101", ben)
    assert appliance.roster.legs[0].call > before.legs[0].call


def test_who_hung_up_while_the_calls_process_was_dead_does_not_leave_the_other_waiting(
    site: Site, appliance: Appliance, ann: Softphone, ben: Softphone
) -> None:
    connect(ann, "101", ben)
    appliance.kill()
    ann.hang_up()
    ann.wait_for("CLOSED")
    appliance.start()
    ben.wait_for("CLOSED")
    wait_until(site.is_empty, "everything is deleted")
    wait_until(lambda: appliance.roster == Roster(), "the roster is empty")


def test_a_phone_that_rings_goes_on_ringing_when_the_calls_process_is_killed(
    site: Site, appliance: Appliance, ann: Softphone
) -> None:
    with site.phone("ben", Answering.NEVER) as ben:
        ann.call("101")
        ben.wait_for("INCOMING")
        ann.wait_for("RINGING")
        appliance.kill()
        appliance.start()
        ben.accept()
        ann.wait_for("ESTABLISHED")
        wait_until(lambda: len(appliance.roster.legs) == 2, "they are connected")


@pytest.mark.parametrize("delay_ms", [2, 8, 20, 40, 80])
@pytest.mark.usefixtures("ben")
def test_killed_at_any_moment_of_a_set_up_it_clears_what_it_cannot_go_on_with(
    site: Site, appliance: Appliance, ann: Softphone, delay_ms: int
) -> None:
    ann.call("101")
    time.sleep(delay_ms / 1000)
    appliance.kill()
    appliance.start()
    ann.hang_up()
    wait_until(site.is_empty, "everything is deleted")
    connect_again = site.phone("cleo")
    with connect_again as cleo:
        cleo.call("101")
        cleo.wait_for("ESTABLISHED")


def test_an_orderly_stop_hangs_up_and_leaves_nothing(
    site: Site, appliance: Appliance, ann: Softphone, ben: Softphone
) -> None:
    connect(ann, "101", ben)
    with site.phone("cleo") as cleo, site.phone("dan", Answering.NEVER) as dan:
        cleo.call("103")
        dan.wait_for("INCOMING")
        assert appliance.stop() == 0
        for phone in (ann, ben, cleo, dan):
            phone.wait_for("CLOSED")
    wait_until(site.is_empty, "nothing is left in Asterisk")
    assert appliance.roster == Roster()


def test_calls_work_again_after_asterisk_was_away(tmp_path: Path) -> None:
    site = Site(tmp_path)
    appliance = Appliance(replace(site.config, instance=f"{site.config.instance}-away"))
    try:
        with site.asterisk, site.phone("ann") as ann, site.phone("ben") as ben:
            appliance.start()
            connect(ann, "101", ben)
        version = appliance.memory.roster_version
        with site.asterisk, site.phone("ann") as ann, site.phone("ben") as ben:
            wait_until(lambda: appliance.memory.roster_version > version, "the calls process is connected again")
            wait_until(lambda: appliance.roster == Roster(), "the lost call is forgotten")
            connect(ann, "101", ben)
            wait_until(lambda: len(appliance.roster.legs) == 2, "the new call is in the roster")
    finally:
        appliance.close()
        site.close()
