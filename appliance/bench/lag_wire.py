"""Asterisk's side of the media socket: sends a speaker's voice at real time, keeps what the booths are sent."""

import socket
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import G722
import numpy as np
from numpy.typing import NDArray

from appliance import clock
from appliance.frames.roster import Address
from appliance.media.codecs import G722_64K, L16
from appliance.media.rtp import Garbage, Packet, parse, serialise
from appliance.units import FRAME_BYTES, FRAME_NS, FRAME_SAMPLES

HOST = "127.0.0.1"
TURN_S = 0.005
DATAGRAM_BYTES = 2048


@dataclass(frozen=True, slots=True)
class Received:
    """One packet that a booth was sent."""

    arrival_ns: int
    packet: Packet


@dataclass(slots=True)
class BoothEnd:
    """Where one booth listens, and all it has been sent."""

    socket: socket.socket
    received: list[Received] = field(default_factory=list)

    @property
    def address(self) -> Address:
        """Of the socket."""
        return Address(*self.socket.getsockname())

    def receive(self) -> None:
        """Take what has arrived."""
        while True:
            try:
                datagram = self.socket.recv(DATAGRAM_BYTES)
            except BlockingIOError:
                return
            packet = parse(datagram)
            if not isinstance(packet, Garbage) and packet.payload_type == G722_64K.number:
                self.received.append(Received(clock.now_ns(), packet))

    def heard(self, start_ns: int) -> NDArray[np.int16]:
        """What a phone plays from `start_ns` on, 16 kHz: each packet where its RTP timestamp says."""
        if not self.received:
            return np.zeros(0, np.int16)
        first, decoder = self.received[0], G722.G722(16_000, 64_000)
        begin = round((first.arrival_ns - start_ns) / FRAME_NS)
        places = [begin + _frames_between(first.packet, each.packet) for each in self.received]
        sound = np.zeros((max(places) + 1, FRAME_SAMPLES), np.int16)
        for place, each in zip(places, self.received, strict=True):
            samples = np.array(decoder.decode(each.packet.payload), np.int16)
            if place >= 0:
                sound[place] = samples
        return sound.reshape(-1)


class Wire:
    """An ear for each speaker, a booth for each lane. A context manager: its sockets are open until its end.

    `voices`: what each speaker says (16 kHz); silence follows. All begin to speak with `start`.
    """

    def __init__(self, voices: list[NDArray[np.int16]], booths: int, media: Address) -> None:
        self.start_ns = 0
        self._voices = [_frames(voice) for voice in voices]
        self._ears = [_udp() for _ in voices]
        self.booths = [BoothEnd(_udp()) for _ in range(booths)]
        self._media = (media.host, media.port)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wire", daemon=True)

    @property
    def ears(self) -> list[Address]:
        """Where each speaker's packets come from."""
        return [Address(*ear.getsockname()) for ear in self._ears]

    @property
    def speech_end_ns(self) -> int:
        """When everybody has said everything."""
        return self.start_ns + max(map(len, self._voices)) * FRAME_NS

    def start(self) -> None:
        """Let everybody speak, from now on."""
        self.start_ns = clock.now_ns()
        self._thread.start()

    def stop(self) -> None:
        """Send and receive no more."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        for end in (*self._ears, *(booth.socket for booth in self.booths)):
            end.close()

    def _run(self) -> None:
        sent = 0
        while not self._over.is_set():
            # By the clock, not one per turn: a late turn must not make the speaker slower.
            while sent < (clock.now_ns() - self.start_ns) // FRAME_NS:
                self._send(sent)
                sent += 1
            for booth in self.booths:
                booth.receive()
            self._over.wait(TURN_S)

    def _send(self, number: int) -> None:
        for ssrc, (ear, voice) in enumerate(zip(self._ears, self._voices, strict=True), 1):
            payload = voice[number] if number < len(voice) else bytes(FRAME_BYTES)
            timestamp = number * FRAME_SAMPLES & 0xFFFFFFFF
            ear.sendto(serialise(Packet(L16.number, number & 0xFFFF, timestamp, ssrc, payload)), self._media)


def _frames(voice: NDArray[np.int16]) -> list[bytes]:
    """L16 as it is on the wire, big-endian, 20 ms each; a last part that is shorter is filled with silence."""
    whole = np.pad(voice, (0, -len(voice) % FRAME_SAMPLES)).astype(">i2")
    return [frame.tobytes() for frame in whole.reshape(-1, FRAME_SAMPLES)]


def _frames_between(first: Packet, later: Packet) -> int:
    ticks = (later.timestamp - first.timestamp) & 0xFFFFFFFF
    return (ticks - (1 << 32) * (ticks >> 31)) // G722_64K.frame_ticks


def _udp() -> socket.socket:
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    end.bind((HOST, 0))
    return end
