"""What calls are made with in tests: a real Asterisk, real softphones, the calls process; only rtp is a fake."""

import contextlib
import json
import multiprocessing
import os
import signal
import socket
import threading
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Self

import numpy as np
from G722 import G722
from msgspec.structs import replace
from numpy.typing import NDArray

from appliance.config import AsteriskConfig, Config, Phone, Route, Trunk
from appliance.demo.asterisk import PrivateAsterisk, asterisk_tree, with_free_ports
from appliance.demo.softphone import NARROWBAND, Answering, Softphone
from appliance.frames.memory import Memory
from appliance.frames.roster import Address, Roster
from appliance.supervision.context import Context
from appliance.supervision.process_table import WATCHDOG, WORKERS
from procs import calls

NAMES = ("ann", "ben", "cleo", "dan", "eve", "fay")
TRUNK_HOST = "127.0.0.2"
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

    def __enter__(self) -> Self:
        """Asterisk runs."""
        with ExitStack() as opened:
            opened.callback(self.close)
            opened.enter_context(self.asterisk)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @contextmanager
    def appliance(self, **changes: Any) -> Iterator[Appliance]:
        """The appliance as configured, but for `changes`; afterwards nothing is left of it in Asterisk."""
        made = Appliance(replace(self.config, **changes))
        try:
            made.start()
            yield made
        finally:
            made.close()
        wait_until(self.is_empty, "nothing is left in Asterisk")

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
