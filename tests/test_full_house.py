"""When all places are taken: who is refused and told when to call again, who is connected, and who always is."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from call_site import TRUNK_HOST, Appliance, Site, connect, hears, tone, wait_until

from appliance.config import CapacityConfig, EmergencyConfig, Route
from appliance.demo.child import free_ports
from appliance.demo.softphone import Softphone
from appliance.frames.messages import HealthEvent, JournalEntry
from appliance.frames.roster import Roster
from appliance.frames.text import TextWriter
from appliance.telephony.refusal import can_be_sent, refusal, send

pytestmark = pytest.mark.call

RETRY_S = 17
FULL = "as many calls as this machine can do are interpreted now (capacity.most_calls = 1)"
UNTRANSLATED, NATIVE = "601", "602"
ROUTES = (
    Route(UNTRANSLATED, "en", "pt-br", "PJSIP/dan", when_full="untranslated"),
    Route(NATIVE, "en", "en", "PJSIP/dan"),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    full, emergency = CapacityConfig(most_calls=1, retry_s=RETRY_S), EmergencyConfig(("112",))
    with Site(tmp_path_factory.mktemp("site"), ROUTES, capacity=full, emergency=emergency) as made:
        yield made


@pytest.fixture
def full(site: Site) -> Iterator[Appliance]:
    """An appliance that interprets ann and ben, and can do no more."""
    with site.appliance() as appliance, site.phone("ann") as ann, site.phone("ben") as ben:
        connect(ann, "101", ben)
        yield appliance


@pytest.fixture
def cleo(site: Site) -> Iterator[Softphone]:
    with site.phone("cleo") as phone:
        yield phone


@pytest.fixture
def dan(site: Site) -> Iterator[Softphone]:
    with site.phone("dan") as phone:
        yield phone


def told(appliance: Appliance, status: str) -> list[str]:
    entries = TextWriter(appliance.memory.writer("journal", "calls")).written(JournalEntry)
    return [each.action for each in entries if isinstance(each, HealthEvent) and each.status == status]


@pytest.mark.usefixtures("dan")
def test_the_next_caller_is_refused(full: Appliance, cleo: Softphone) -> None:
    cleo.call("103")
    assert cleo.wait_for("CLOSED").detail == "503 Service Unavailable"
    assert told(full, "REFUSED") == [f"no room for a call to 103: {FULL}"]
    assert len(full.roster.legs) == 2


@pytest.mark.usefixtures("full")
def test_a_pbx_is_told_when_to_call_again(site: Site, tmp_path: Path) -> None:
    scenario = Path(__file__).with_name("refused.xml")
    command = ["sipp", "-sf", str(scenario), "-i", TRUNK_HOST, "-p", str(free_ports(1, TRUNK_HOST)[0]), "-s", "103"]
    command += ["-m", "1", "-timeout", "10", "-nostdin", "-trace_err", f"127.0.0.1:{site.config.asterisk.sip_port}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


@pytest.mark.usefixtures("dan")
def test_when_a_call_ends_there_is_a_place_again(site: Site, full: Appliance, cleo: Softphone) -> None:
    site.asterisk.command("channel request hangup all")
    wait_until(lambda: full.roster == Roster(), "the house is empty")
    cleo.call("103")
    cleo.wait_for("ESTABLISHED")


def test_a_route_may_connect_people_as_they_are(full: Appliance, cleo: Softphone, dan: Softphone) -> None:
    connect(cleo, UNTRANSLATED, dan)
    cleo.say(tone(700, 3))
    wait_until(lambda: hears(dan, 700), "dan hears cleo herself")
    assert len(full.roster.legs) == 2
    assert told(full, "DEGRADED") == [f"a call to 601 is not interpreted: {FULL}"]


@pytest.mark.usefixtures("full")
def test_people_of_one_language_need_no_place(cleo: Softphone, dan: Softphone) -> None:
    connect(cleo, NATIVE, dan)
    cleo.say(tone(700, 3))
    wait_until(lambda: hears(dan, 700), "dan hears cleo herself")


@pytest.mark.usefixtures("full")
def test_an_emergency_call_goes_out_though_the_house_is_full(site: Site, cleo: Softphone) -> None:
    call_for_help(site, cleo)


def test_an_emergency_call_goes_out_with_the_appliance_away(site: Site, cleo: Softphone) -> None:
    call_for_help(site, cleo)


def call_for_help(site: Site, phone: Softphone) -> None:
    site.pbx.answer = "486 Busy Here"
    phone.call("112")
    assert phone.wait_for("CLOSED").detail == "486 Busy Here"  # whatever they answer there
    assert site.pbx.dialled[-1] == "112"


HEADERS = {"From": '"A" <sip:a@b>;tag=1', "To": "<sip:1@c>", "Call-ID": "x@y", "CSeq": "7 INVITE"}


def test_a_refusal_is_an_answer_to_its_invite() -> None:
    lines = refusal(["SIP/2.0/UDP a;branch=1", "SIP/2.0/UDP b;branch=2"], HEADERS, "abc", 30).decode().split("\r\n")
    assert lines[0] == "SIP/2.0 503 Service Unavailable"
    assert lines[1:3] == ["Via: SIP/2.0/UDP a;branch=1", "Via: SIP/2.0/UDP b;branch=2"]
    assert "To: <sip:1@c>;tag=abc" in lines
    assert 'From: "A" <sip:a@b>;tag=1' in lines
    assert "Retry-After: 30" in lines
    assert lines[-2:] == ["", ""]


@pytest.mark.parametrize(
    ("vias", "headers"), [([], HEADERS), (["SIP/2.0/TLS a"], HEADERS), (["SIP/2.0/UDP a"], HEADERS | {"CSeq": ""})]
)
def test_what_cannot_be_answered_from_here_is_left_to_asterisk(vias: list[str], headers: dict[str, str]) -> None:
    assert not can_be_sent(vias, headers)


@pytest.mark.parametrize("to", ["", "[::1]:5060", "nonsense"])
def test_an_address_that_is_none_gets_nothing(to: str) -> None:
    assert not send(b"x", "127.0.0.1", to)


def test_an_answer_comes_from_the_address_that_was_called() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.bind(("127.0.0.1", 0))
        caller.settimeout(5)
        assert send(b"x", "127.0.0.4", f"127.0.0.1:{caller.getsockname()[1]}")
        answer, (host, _) = caller.recvfrom(100)
        assert (answer, host) == (b"x", "127.0.0.4")
