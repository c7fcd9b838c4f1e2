"""Calls as phone users meet them: the calls process with a real Asterisk and real softphones; only rtp is a fake."""

import contextlib
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request
import wave
from base64 import b64encode
from collections.abc import Callable, Iterator
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from G722 import G722
from msgspec.structs import replace
from numpy.typing import NDArray

from appliance.config import AsteriskConfig, Config, Phone, Route, Trunk
from appliance.demo.asterisk import PrivateAsterisk, asterisk_tree, with_free_ports
from appliance.demo.child import free_ports
from appliance.demo.softphone import NARROWBAND, Answering, Softphone
from appliance.frames.memory import Memory
from appliance.frames.roster import Address, Roster
from appliance.supervision.context import Context
from appliance.supervision.process_table import WATCHDOG, WORKERS
from procs import calls

pytestmark = pytest.mark.call

NAMES = ("ann", "ben", "cleo", "dan", "eve", "fay")
TRUNK_HOST = "127.0.0.2"
STRANGER_HOST = "127.0.0.3"
RING_S = 2


def wait_until(true: Callable[[], object], what: str, timeout_s: float = 10.0) -> None:
    """Look again and again until it is so."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, f"still not so after {timeout_s:g} s: {what}"
        time.sleep(0.02)


def tone(hz: int, seconds: float = 1.0) -> NDArray[np.int16]:
    """A sine at 16 kHz."""
    return (9000 * np.sin(2 * np.pi * hz * np.arange(int(seconds * 16_000)) / 16_000)).astype(np.int16)


def has_tone(samples: NDArray[np.int16], hz: int, rate_hz: int = 16_000) -> bool:
    """Whether a good part of the energy is at this frequency."""
    if len(samples) < rate_hz // 10 or not np.any(samples):
        return False
    spectrum = np.abs(np.fft.rfft(samples.astype(float))) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / rate_hz)
    near = spectrum[np.abs(frequencies - hz) < 20].sum()
    return bool(near > 0.3 * spectrum.sum() and np.abs(samples).max() > 1000)


def close_and_join(receiver: socket.socket, thread: threading.Thread) -> None:
    """Close a UDP socket whose thread ends when it receives nothing: a mere close would leave it waiting for ever."""
    with contextlib.suppress(OSError):  # ENOTCONN; it wakes the thread all the same
        receiver.shutdown(socket.SHUT_RDWR)
    thread.join()
    receiver.close()


class RefusingPbx:
    """A PBX at the other end of the trunk that answers every call with `answer`, and is otherwise in good health."""

    def __init__(self, host: str) -> None:
        self.answer = "486 Busy Here"
        self.callers: list[str] = []
        self.dialled: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        close_and_join(self._socket, self._thread)

    def _serve(self) -> None:
        while True:
            request, sender = self._socket.recvfrom(8192)
            if not request:
                return
            method, *lines = request.decode().split("\r\n")
            if not method.startswith("ACK"):
                self._socket.sendto(self._response(method, lines).encode(), sender)

    def _response(self, method: str, lines: list[str]) -> str:
        headers = [line for line in lines if line.lower().startswith(("via:", "from:", "call-id:", "cseq:"))]
        headers += [line + ";tag=pbx" for line in lines if line.lower().startswith("to:")]
        if method.startswith("INVITE"):
            sender = next(line for line in headers if line.startswith("From:"))
            self.callers.append(_user(sender))
            self.dialled.append(_user(method))
        status = self.answer if method.startswith("INVITE") else "200 OK"
        return "\r\n".join([f"SIP/2.0 {status}", *headers, "Content-Length: 0", "", ""])


def _user(header: str) -> str:
    return header.partition("sip:")[2].partition("@")[0]


class Media:
    """The appliance's socket: collects what ears send, and speaks G.722 into booths."""

    def __init__(self, host: str, port: int) -> None:
        self._heard: dict[Address, list[bytes]] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, port))
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def packets(self, source: Address | None) -> int:
        """How many packets have come from there."""
        return len(self._heard.get(source, [])) if source else 0

    def heard(self, source: Address | None) -> NDArray[np.int16]:
        """The last second that came from there: L16, big-endian."""
        packets = self._heard.get(source, []) if source else []
        return np.frombuffer(b"".join(packets[-50:]), ">i2").astype(np.int16)

    def speak(self, booth: Address | None, samples: NDArray[np.int16]) -> None:
        """Play samples into a booth, at the pace of speech."""
        assert booth is not None
        codec, started = G722(16_000, 64_000), time.monotonic()
        for number in range(len(samples) // 320):
            payload = codec.encode(samples[number * 320 : (number + 1) * 320])
            header = bytes([0x80, 9 | (0x80 if number == 0 else 0)])
            header += number.to_bytes(2, "big") + (number * 160).to_bytes(4, "big") + bytes([0, 0, 0, 9])
            self._socket.sendto(header + bytes(payload), (booth.host, booth.port))
            time.sleep(max(0.0, started + (number + 1) * 0.02 - time.monotonic()))

    def close(self) -> None:
        """End it."""
        close_and_join(self._socket, self._thread)

    def _receive(self) -> None:
        while True:
            packet, sender = self._socket.recvfrom(2048)
            if not packet:
                return
            host, port = sender
            self._heard.setdefault(Address(host, port), []).append(packet[12:])


def run_calls(config: Config) -> None:
    """The calls process, as the worker runs it."""
    row = next(row for row in WORKERS if row.name == "calls")
    context = Context(row, config, Memory.attach(config.instance))

    def stop(*_: object) -> None:
        context.stopping = True

    signal.signal(signal.SIGTERM, stop)
    calls.main(context)


class Appliance:
    """A calls process that can be started, stopped and killed; the shared memory stays, as under the watchdog."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.memory = Memory.create(config, [row.name for row in (WATCHDOG, *WORKERS)])
        self._process: SpawnProcess | None = None

    @property
    def roster(self) -> Roster:
        """What the calls process has published."""
        return self.memory.read_roster()[1]

    def start(self) -> None:
        """Start; returns when ARI is connected, which is when the roster is written for the first time."""
        version = self.memory.roster_version
        self._process = multiprocessing.get_context("spawn").Process(target=run_calls, args=(self.config,), daemon=True)
        self._process.start()
        wait_until(lambda: self.memory.roster_version > version, "the calls process is connected")

    def kill(self) -> None:
        """As a crash does."""
        assert self._process is not None
        self._process.kill()
        self._process.join()
        self._process = None

    def stop(self) -> int | None:
        """In order; the exit status."""
        if self._process is None:
            return None
        self._process.terminate()
        self._process.join(10)
        status, self._process = self._process.exitcode, None
        return status

    def close(self) -> None:
        """Stop, and give the shared memory back."""
        self.stop()
        self.memory.unlink()
        self.memory.close()


class Site:
    """Asterisk, the appliance's socket, and any number of phones."""

    def __init__(self, folder: Path, routes: tuple[Route, ...] = (), **changes: Any) -> None:
        self.folder = folder
        self.pbx = RefusingPbx(TRUNK_HOST)
        self.config = site_config(self.pbx.port, routes, **changes)
        self.asterisk = PrivateAsterisk(asterisk_tree(self.config), folder / "asterisk", self.config)
        self.media = Media(self.config.media.host, self.config.media.port)
        self._phones = 0

    def phone(self, name: str, answering: Answering = Answering.AT_ONCE) -> Softphone:
        """A phone, switched off."""
        self._phones += 1
        folder = self.folder / f"{name}{self._phones}"
        port, codec = self.config.asterisk.sip_port, NARROWBAND
        return Softphone(name, folder, port, password=name, registers=True, answering=answering, codec=codec)

    def ari(self, path: str) -> list[dict[str, object]]:
        """A list that ARI has."""
        asterisk = self.config.asterisk
        login = b64encode(f"{asterisk.ari_user}:{asterisk.ari_password}".encode()).decode()
        request = urllib.request.Request(f"{asterisk.ari_url}/ari{path}", headers={"Authorization": f"Basic {login}"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def close(self) -> None:
        """Close the sockets."""
        self.media.close()
        self.pbx.close()

    def is_empty(self) -> bool:
        """Whether Asterisk has neither channels nor bridges."""
        return not self.ari("/channels") and not self.ari("/bridges")


def site_config(trunk_port: int, more: tuple[Route, ...] = (), **changes: Any) -> Config:
    """Six phones, a trunk, and a number for each."""
    phones = tuple(Phone(name, password=name) for name in NAMES)
    routes = [Route(f"10{place}", "en", "pt-br", f"PJSIP/{name}", RING_S) for place, name in enumerate(NAMES)]
    routes += [
        Route("200", "en", "pt-br", "PJSIP/4711@pbx", RING_S),
        Route("300", "en", "en", "PJSIP/ben", RING_S),
        Route("400", "en", "pt-br", "PJSIP/nobody", RING_S),
    ]
    return with_free_ports(
        Config(
            instance=f"calls-test-{os.getpid()}",
            asterisk=AsteriskConfig(ari_password="secret"),
            phones=phones,
            trunks=(Trunk("pbx", TRUNK_HOST, trunk_port),),
            routes=(*routes, *more),
            **changes,
        )
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    with made.asterisk:
        yield made
    made.close()


@pytest.fixture
def appliance(site: Site) -> Iterator[Appliance]:
    made = Appliance(site.config)
    try:
        made.start()
        yield made
    finally:
        made.close()
    wait_until(site.is_empty, "nothing is left in Asterisk")


@pytest.fixture
def ann(site: Site) -> Iterator[Softphone]:
    with site.phone("ann") as phone:
        yield phone


@pytest.fixture
def ben(site: Site) -> Iterator[Softphone]:
    with site.phone("ben") as phone:
        yield phone


def connect(caller: Softphone, number: str, callee: Softphone) -> None:
    """Dial, and wait until both are in the room and hear something."""
    caller.call(number)
    for phone in (caller, callee):
        phone.wait_for("ESTABLISHED")
        phone.wait_for("RTPESTAB")


def addresses_in(roster: Roster) -> set[Address]:
    """Those of all ears and booths that are known."""
    addresses = {leg.ear for leg in roster.legs} | {booth.address for booth in roster.booths}
    return {address for address in addresses if address}


def ear_of(appliance: Appliance, language: str) -> Address | None:
    return next(leg.ear for leg in appliance.roster.legs if leg.language == language)


def booth_of(appliance: Appliance, language: str) -> Address | None:
    return next(booth.address for booth in appliance.roster.booths if booth.language == language)


def last_second(phone: Softphone) -> NDArray[np.int16]:
    """The end of what the phone has heard so far."""
    recording = phone.heard()
    assert recording is not None
    rate_hz = phone.codec.rate_hz
    return np.frombuffer(recording.read_bytes()[-rate_hz * 2 :], "<i2")


def hears(phone: Softphone, hz: int) -> bool:
    return has_tone(last_second(phone), hz, phone.codec.rate_hz)


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
    appliance = Appliance(replace(site.config, max_legs=2, max_lanes=2))
    try:
        appliance.start()
        connect(ann, "101", ben)
        with site.phone("cleo") as cleo, site.phone("dan"):
            cleo.call("103")
            assert cleo.wait_for("CLOSED").detail == "503 Service Unavailable"
            ann.hang_up()
            ben.wait_for("CLOSED")
            wait_until(lambda: appliance.roster == Roster(), "the house is empty")
            cleo.call("103")
            cleo.wait_for("ESTABLISHED")
    finally:
        appliance.close()
    wait_until(site.is_empty, "nothing is left in Asterisk")


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
