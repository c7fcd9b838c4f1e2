"""A softphone without sound hardware: baresip that plays what it is told, records what it hears, and reports events."""

import json
import shutil
import socket
import subprocess
import threading
import time
import wave
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import soxr
from numpy.typing import NDArray

from appliance import clock
from appliance.demo.child import end, free_ports, spawn
from appliance.units import SAMPLE_RATE_HZ

START_S = 5.0
KEY_S = 0.25  # as quick as people press them
MODULES = Path("/usr/lib/baresip/modules")

# baresip hangs up when what it plays is over: every recording is followed by this much silence.
LONGEST_CALL_S = 300


class SoftphoneError(Exception):
    """A softphone cannot do what it should; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Codec:
    """A codec as baresip names it. `rate_hz` is that of the sound, not of the RTP clock."""

    name: str
    module: str
    rate_hz: int


WIDEBAND = Codec("G722/16000/1", "g722.so", 16_000)
NARROWBAND = Codec("PCMA/8000/1", "g711.so", 8_000)


class Answering(Enum):
    """What the phone does when it is called."""

    AT_ONCE = "auto"
    NEVER = "manual"  # rings until the caller gives up, or `accept` is called
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class PhoneEvent:
    """Something that happened."""

    kind: str  # baresip's name without CALL_: RINGING, INCOMING, ESTABLISHED, CLOSED, RTPESTAB …
    detail: str  # of CLOSED: the reason, e.g. "486 Busy Here"
    at_ns: int  # CLOCK_MONOTONIC
    peer: str  # SIP URI of the other side


class Softphone:
    """One phone. A context manager: started inside, ended after.

    name: its SIP user. directory: of its own, for its configuration, log and recordings.
    server_port: where its Asterisk listens on `host`. port: its own SIP port; 0 takes a free one.
    With `registers` it logs in with `password`; without, Asterisk must know it by a contact.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        server_port: int,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        password: str = "",
        registers: bool = False,
        codec: Codec = WIDEBAND,
        answering: Answering = Answering.AT_ONCE,
    ) -> None:
        free, self._control_port, self._rtp_port = free_ports(3, host)
        self.name = name
        self.port = port or free
        self.codec = codec
        self._directory = directory
        self._host = host
        self._server = f"{host}:{server_port}"
        self._password = password
        self._registers = registers
        self._answering = answering
        self._events: list[PhoneEvent] = []
        self._news = threading.Condition()
        self._sounds = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(self) -> None:
        """Start, and register if it registers. Raises SoftphoneError."""
        if not shutil.which("baresip"):
            raise SoftphoneError("there is no baresip on this machine: run make setup")
        self._directory.mkdir(parents=True, exist_ok=True)
        self._write_configuration()
        self._process = spawn(["baresip", "-f", str(self._directory)], self._directory / "log")
        try:
            self._control = self._connect()
            threading.Thread(target=self._listen, args=(self._control,), daemon=True, name=self.name).start()
            self._command("uanew", self._account())  # not from a file: it would register before we listen
            if self._registers:
                self.wait_for("REGISTER_OK", START_S)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it; a call that is up is hung up first, as when a phone is switched off in order."""
        if self._process is None or self._control is None:
            return
        end(self._process)
        self._control.close()
        self._process = self._control = None

    def call(self, number: str) -> None:
        """Dial a number of its Asterisk."""
        self._command("dial", f"sip:{number}@{self._server}")

    def accept(self) -> None:
        """Answer the call that rings."""
        self._command("accept")

    def hang_up(self) -> None:
        """End the call, or refuse it, or give up ringing."""
        self._command("hangup")

    def press(self, keys: str) -> None:
        """Press keys, one after the other, in the call that is up."""
        for key in keys:
            self._command("sndcode", key)
            time.sleep(KEY_S)

    def say(self, samples: NDArray[np.int16]) -> None:
        """Speak into the call that is up, from now on. 16 kHz mono; replaces what it is saying. Silence follows."""
        self._sounds += 1
        self._command("ausrc", f"aufile,{self._write_sound(f'say{self._sounds}.wav', samples)}")

    def wait_for(self, kind: str, timeout_s: float = 10.0) -> PhoneEvent:
        """The next event of this kind that was not waited for before. Raises SoftphoneError when none comes."""
        with self._news:
            event = self._news.wait_for(lambda: self._first(kind), timeout_s)
            if event is None:
                seen = ", ".join(event.kind for event in self._events) or "nothing"
                raise SoftphoneError(
                    f"{self.name}: no {kind} within {timeout_s:g} s, but {seen} (see {self._directory}/log)"
                )
            self._events.remove(event)
            return event

    @property
    def hung_up(self) -> bool:
        """Whether a call has ended that nobody waited for."""
        with self._news:
            return self._first("CLOSED") is not None

    def heard(self) -> Path | None:
        """WAV of what it received in its last call, from the packet that RTPESTAB reports.

        Only packets that came are in it: pauses collapse, except in a ConfBridge, which sends continuously.
        Complete after CLOSED.
        """
        recordings = sorted(self._directory.glob("dump-*-dec.wav"))
        return recordings[-1] if recordings else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _first(self, kind: str) -> PhoneEvent | None:
        return next((event for event in self._events if event.kind == kind), None)

    def _command(self, command: str, parameters: str = "") -> None:
        if self._control is None:
            raise SoftphoneError(f"{self.name} is switched off")
        text = json.dumps({"command": command, "params": parameters}).encode()
        self._control.sendall(b"%d:%s," % (len(text), text))  # a netstring

    def _connect(self) -> socket.socket:
        deadline = time.monotonic() + START_S
        while True:
            try:
                return socket.create_connection((self._host, self._control_port))
            except ConnectionRefusedError:
                if time.monotonic() > deadline or self._process is None or self._process.poll() is not None:
                    raise SoftphoneError(f"{self.name}: baresip does not start (see {self._directory}/log)") from None
                time.sleep(0.01)

    def _listen(self, control: socket.socket) -> None:
        """Read netstrings of JSON until the phone is switched off."""
        control.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        with control.makefile("rb") as stream:
            try:
                while length := _until_colon(stream.read):
                    self._take(json.loads(stream.read(length)))
                    stream.read(1)  # the comma
                    # Or the next event comes when our acknowledgement does, 40 ms later.
                    control.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            except (OSError, ValueError):
                return  # it was switched off in the middle of a message

    def _take(self, message: dict[str, str]) -> None:
        if "event" not in message:
            return  # the answer to a command
        kind = message["type"].removeprefix("CALL_")
        with self._news:
            self._events.append(PhoneEvent(kind, message.get("param", ""), clock.now_ns(), message.get("peeruri", "")))
            self._news.notify_all()
        if kind == "INCOMING" and self._answering is Answering.BUSY:
            self.hang_up()

    def _account(self) -> str:
        mode = "auto" if self._answering is Answering.AT_ONCE else "manual"
        login = f"regint={600 if self._registers else 0};auth_pass={self._password or 'none'}"
        return f"<sip:{self.name}@{self._server}>;{login};answermode={mode};audio_codecs={self.codec.name};ptime=20"

    def _write_configuration(self) -> None:
        silence = self._write_sound("silence.wav", np.zeros(0, np.int16))
        (self._directory / "accounts").touch()
        (self._directory / "contacts").touch()
        settings = {
            "poll_method": "epoll",
            "sip_listen": f"{self._host}:{self.port}",
            "net_interface": self._host,
            "rtp_ports": f"{self._rtp_port}-{self._rtp_port + 100}",
            "ctrl_tcp_listen": f"{self._host}:{self._control_port}",
            "audio_source": f"aufile,{silence}",
            "ausrc_srate": self.codec.rate_hz,
            "auplay_srate": self.codec.rate_hz,
            "ausrc_channels": 1,
            "auplay_channels": 1,
            "audio_buffer": "20-160",
            "call_max_calls": 1,
            "ringback_disabled": "yes",
            "snd_path": self._directory,
            "module_path": MODULES,
        }
        lines = [f"{key}\t{value}" for key, value in settings.items()]
        lines += [f"module\t{module}" for module in (self.codec.module, "aufile.so", "sndfile.so", "ctrl_tcp.so")]
        lines += ["module_tmp\taccount.so", "module_app\tmenu.so", ""]
        (self._directory / "config").write_text("\n".join(lines))

    def _write_sound(self, name: str, samples: NDArray[np.int16]) -> Path:
        rate_hz = self.codec.rate_hz
        if rate_hz != SAMPLE_RATE_HZ and len(samples):
            samples = soxr.resample(samples, SAMPLE_RATE_HZ, rate_hz)
        path = self._directory.absolute() / name
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate_hz)
            file.writeframes(samples.astype("<i2").tobytes() + bytes(LONGEST_CALL_S * rate_hz * 2))
        return path


def _until_colon(read: Callable[[int], bytes]) -> int:
    """The length in front of a netstring; 0 at the end of the stream."""
    digits = b""
    while (byte := read(1)) and byte != b":":
        digits += byte
    return int(digits or b"0")
