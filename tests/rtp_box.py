"""An appliance of which only rtp runs: a real worker over real shared memory, with real packets on the loopback."""

import itertools
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from appliance import clock
from appliance.config import Config, MediaConfig
from appliance.frames.memory import Memory
from appliance.frames.messages import JournalEntry
from appliance.frames.roster import Address, Booth, Lane, Leg, Roster
from appliance.frames.text import TextReader
from appliance.media.rtp import Packet, parse, serialise
from appliance.supervision.launcher import Launcher, Spawned
from appliance.supervision.process_table import WATCHDOG, WORKERS
from appliance.supervision.sockets import open_media_socket
from appliance.supervision.vitals import Vitals
from appliance.units import FRAME_SAMPLES

RTP = next(process for process in WORKERS if process.name == "rtp")
PATIENCE_S = 20
CALL = 1


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def udp() -> socket.socket:
    endpoint = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    endpoint.bind(("127.0.0.1", 0))
    endpoint.settimeout(PATIENCE_S)
    return endpoint


def address(endpoint: socket.socket) -> Address:
    return Address(*endpoint.getsockname())


@dataclass
class RtpBox:
    """An appliance of which only rtp runs; the test is its watchdog, its engines and its Asterisk."""

    config_path: Path
    memory: Memory
    media: socket.socket
    ear: socket.socket = field(default_factory=udp)
    booth: socket.socket = field(default_factory=udp)
    spawned: Spawned | None = None
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @classmethod
    def make(cls, folder: Path) -> "RtpBox":
        """All but the process: see `start`."""
        instance = f"rtp-{uuid4().hex[:12]}"
        config_path = folder / "appliance.toml"
        config_path.write_text(f'instance = "{instance}"\nmax_legs = 4\nmax_lanes = 4\n')
        config = Config(instance=instance, max_legs=4, max_lanes=4)
        memory = Memory.create(config, [WATCHDOG.name, *(process.name for process in WORKERS)])
        Vitals(memory.vitals(WATCHDOG.name)).spawned(os.getpid())
        return cls(config_path, memory, open_media_socket(MediaConfig(port=0)))

    @property
    def vitals(self) -> Vitals:
        return Vitals(self.memory.vitals("rtp"))

    def start(self) -> None:
        self.vitals.begin(clock.now_ns())
        self.spawned = Launcher(self.config_path, {"media": self.media}).spawn(RTP)
        until(lambda: self.vitals.ready_ns or self.died())

    def died(self) -> bool:
        status = self.spawned.popen.poll()
        assert status is None, "\n".join(self.spawned.output.lines())
        return False

    def kill(self) -> None:
        if self.spawned:
            self.spawned.popen.kill()
            self.spawned.popen.wait()
            self.spawned.close()
        self.spawned = None

    def close(self) -> None:
        self.kill()
        self.memory.close()
        self.memory.unlink()
        for endpoint in (self.media, self.ear, self.booth):
            endpoint.close()

    def one_call(self, call: int = CALL) -> Roster:
        """One leg whose speech is heard on `ear`, and what is said about it goes to `booth`."""
        return Roster(
            legs=(Leg(0, call, "r1", "en", address(self.ear)),),
            booths=(Booth(0, "r1", "pt-br", address(self.booth)),),
            lanes=(Lane(0, call, leg=0, target_language="pt-br", booth=0),),
        )

    def speak(self, *numbers: int) -> None:
        """Send packets as Asterisk does; every sample of packet `i` is `i`."""
        for i in numbers:
            payload = struct.pack(">h", i) * FRAME_SAMPLES
            packet = Packet(118, i, i * FRAME_SAMPLES, 7, payload)
            self.ear.sendto(serialise(packet), self.media.getsockname())

    def speak_level(self, level: int) -> None:
        """One packet of one level, the next in its stream."""
        number = next(self.numbers)
        packet = Packet(118, number, number * FRAME_SAMPLES, 7, struct.pack(">h", level) * FRAME_SAMPLES)
        self.ear.sendto(serialise(packet), self.media.getsockname())

    def heard(self, patience_s: float = PATIENCE_S) -> list[Packet]:
        """Everything the booth has received by the time that nothing more comes."""
        packets = []
        self.booth.settimeout(patience_s)
        try:
            while True:
                packets.append(parse(self.booth.recv(2048)))
                self.booth.settimeout(0.5)
        except TimeoutError:
            return packets

    def journal(self) -> list[JournalEntry]:
        reader = TextReader[JournalEntry](self.memory.reader("journal", "rtp"), JournalEntry)
        return list(iter(reader.read, None))
