"""The two loops that `bench rtp` compares, and the phones that keep them busy. Each runs in a process of its own.

Both loops receive a packet per leg and tick, swap it into the leg's ring, take a frame of each lane through its
playout, mix what is said at once, and send a packet per booth. Everybody speaks all the time, and one booth in four has
two lanes to mix. One loop is ours; the other does it on uvloop, packet by packet, with the same pure parts.
"""

import asyncio
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import ceil
from multiprocessing.connection import Connection

import numpy as np
import uvloop

from appliance import clock
from appliance.clock import Ticker
from appliance.frames import _ring, datagrams
from appliance.frames.ring import END, START, RingReader, RingWriter
from appliance.frames.roster import Address, Booth, Lane, Leg, Roster
from appliance.media.codecs import G722_64K, L16
from appliance.media.under_talk import DEFAULT_DB
from appliance.speech.catch_up import FASTEST
from appliance.supervision.vitals import WORDS, Vitals
from appliance.units import FRAME_BYTES, FRAME_NS, FRAME_SAMPLES, NS_PER_S
from appliance.wire.downlink import Downlink
from appliance.wire.originals import Originals
from appliance.wire.pulse import Pulse, stay_punctual
from appliance.wire.uplink import Ear, Uplink

WAIT_FRAMES = 3
CALL = 1
PREFILL_FRAMES = 6
WARM_UP_TICKS = 25
UPLINK_SLOTS = 64
MIXED_BOOTHS = 4  # one in so many
CACHE_LINE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Load:
    """What a loop carries: `ears[i]` is where leg i's packets come from, `booth` is where all booths are.

    Ours may also mix the originals under what is said, and be behind everywhere: then every lane hurries.
    """

    ears: tuple[Address, ...]
    booth: Address
    ticks: int
    originals: bool = False
    behind: bool = False


@dataclass(frozen=True, slots=True)
class Carried:
    """What one run did and took after its warm-up; `late_us`: of each tick."""

    cpu_ns: int
    uplink_frames: int
    downlink_frames: int
    late_us: list[int]


def run_dragoman(media: socket.socket, load: Load, answer: Connection) -> None:
    """Our loop, as in procs.rtp."""
    stay_punctual()
    roster, counts = _roster(load), Counter[str]()
    writers, readers = _rings(load, len(roster.lanes))
    uplink = Uplink(media.fileno(), writers, len(load.ears), WAIT_FRAMES, counts, print)
    originals = Originals(writers, DEFAULT_DB) if load.originals else None
    downlink = _downlink(partial(datagrams.send, media.fileno()), readers, counts, originals, load.behind)
    uplink.follow(roster)
    downlink.follow(roster)
    vitals = Vitals([0] * WORDS)
    pulse, meter, late_us = Pulse(vitals), Meter(counts), list[int]()
    for turn in range(WARM_UP_TICKS + load.ticks):
        tick = pulse.wait()
        if turn == WARM_UP_TICKS:
            meter.start()
        late_us.append(vitals.get("tick_late_us"))
        downlink.tick(tick)
        uplink.receive()
        uplink.poll(clock.now_ns())
    answer.send(meter.result(late_us[WARM_UP_TICKS:]))


def run_uvloop(media: socket.socket, load: Load, answer: Connection) -> None:
    """The same on uvloop, as one would write it with a DatagramProtocol."""
    stay_punctual()
    uvloop.run(_on_uvloop(media, load, answer))


def run_phones(media: Address, legs: int, answer: Connection) -> None:
    """Send a packet per leg every 20 ms, from a socket of its own each, until told to stop."""
    sockets = [_udp() for _ in range(legs)]
    booth = _udp()
    answer.send((tuple(Address(*phone.getsockname()) for phone in sockets), Address(*booth.getsockname())))
    target = (media.host, media.port)
    payload = (np.arange(FRAME_SAMPLES) % 1000).astype(">i2").tobytes()
    ticker, tick = Ticker(FRAME_NS), 0
    while not answer.poll():
        ticker.wait()
        header = struct.pack("!BBHII", 0x80, L16.number, tick & 0xFFFF, tick * FRAME_SAMPLES & 0xFFFFFFFF, 1)
        for phone in sockets:
            phone.sendto(header + payload, target)
        tick += 1


class Meter:
    """CPU time and frames of this process from `start` on."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._cpu_ns = 0

    def start(self) -> None:
        """Begin, after the warm-up."""
        self._counts.clear()
        self._cpu_ns = time.process_time_ns()

    def result(self, late_us: list[int]) -> Carried:
        """What it was, up to now."""
        cpu_ns = time.process_time_ns() - self._cpu_ns
        return Carried(cpu_ns, self._counts["uplink_frames"], self._counts["downlink_frames"], late_us)


class _Phones(asyncio.DatagramProtocol):
    def __init__(self, ears: dict[tuple[str, int], Ear]) -> None:
        self._ears = ears

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._ears[addr].take(data, clock.now_ns())


async def _on_uvloop(media: socket.socket, load: Load, answer: Connection) -> None:
    loop = asyncio.get_running_loop()
    roster, counts = _roster(load), Counter[str]()
    writers, readers = _rings(load, len(roster.lanes))
    ears = {
        (ear.host, ear.port): Ear(writer, WAIT_FRAMES, counts) for ear, writer in zip(load.ears, writers, strict=True)
    }
    transport, _ = await loop.create_datagram_endpoint(lambda: _Phones(ears), sock=media)
    target = (load.booth.host, load.booth.port)

    def send(packets: list[tuple[int, bytes]]) -> int:
        for _, packet in packets:
            transport.sendto(packet, target)
        return len(packets)

    downlink = _downlink(send, readers, counts)
    downlink.follow(roster)
    meter, late_us = Meter(counts), list[int]()
    first_ns = clock.now_ns()
    for turn in range(WARM_UP_TICKS + load.ticks):
        due_ns = first_ns + (turn + 1) * FRAME_NS
        await _until(loop, due_ns)
        if turn == WARM_UP_TICKS:
            meter.start()
        late_us.append((clock.now_ns() - due_ns) // 1000)
        downlink.tick(turn)
        for ear in ears.values():
            if not ear.buffer.expected:
                ear.poll(clock.now_ns())
    answer.send(meter.result(late_us[WARM_UP_TICKS:]))
    transport.close()


async def _until(loop: asyncio.AbstractEventLoop, due_ns: int) -> None:
    passed = loop.create_future()
    loop.call_at(due_ns / NS_PER_S, passed.set_result, None)  # uvloop's clock is CLOCK_MONOTONIC as well
    await passed


def _roster(load: Load) -> Roster:
    legs = tuple(Leg(i, 1, "bench", "en", ear) for i, ear in enumerate(load.ears))
    booths = tuple(Booth(i, "bench", "pt-br", load.booth) for i in range(len(legs)))
    heard_in = [*range(len(legs)), *range(0, len(legs), MIXED_BOOTHS)]
    lanes = tuple(Lane(i, CALL, leg=booth, target_language="pt-br", booth=booth) for i, booth in enumerate(heard_in))
    return Roster(legs, lanes, booths)


def _rings(load: Load, lanes: int) -> tuple[list[RingWriter], list[RingReader]]:
    """Uplink rings that nobody reads, and downlink rings with one clause each, long enough for the whole run."""
    uplinks = [RingWriter(*_ring_memory(UPLINK_SLOTS)) for _ in load.ears]
    frames = ceil((load.ticks + WARM_UP_TICKS) * (FASTEST if load.behind else 1))
    slots = 1 << frames.bit_length()
    clause = bytes(frames * FRAME_BYTES)
    downlinks = []
    for _ in range(lanes):
        memory = _ring_memory(slots)
        downlinks.append(RingReader(*memory))
        RingWriter(*memory).push_many(clause, timestamp=CALL, flags=START | END)
    return uplinks, downlinks


def _ring_memory(slots: int) -> tuple[memoryview, int]:
    """A ring in ordinary memory, and where it begins there: on a cache line."""
    memory = np.zeros(_ring.ring_bytes(slots) + CACHE_LINE_BYTES, np.uint8)
    offset = -memory.ctypes.data % CACHE_LINE_BYTES
    _ring.format_ring(memory.data, offset, slots)
    return memory.data, offset


def _downlink(
    send: Callable[[list[tuple[int, bytes]]], int],
    readers: list[RingReader],
    counts: Counter[str],
    originals: Originals | None = None,
    catch_up: bool = False,
) -> Downlink:
    """Without codec. All that a lane will say waits in its ring from the first tick on: it hurries if it may."""
    return Downlink(send, readers, PREFILL_FRAMES, counts, _ignore, _no_codec, originals, catch_up)


def _no_codec() -> Callable[[bytes], bytes]:
    return lambda frame: frame[: G722_64K.frame_bytes]


def _ignore(_: object) -> None:
    """A journal nobody reads."""


def _udp() -> socket.socket:
    endpoint = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    endpoint.bind(("127.0.0.1", 0))
    return endpoint
