"""Bad packets at the media socket of the real rtp process: what was sent well is heard, and nothing else."""

import random
import struct
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import psutil
import pytest
from rtp_box import RtpBox, udp, until

from appliance import clock
from appliance.drill.table import Outcome
from appliance.frames import datagrams
from appliance.frames.datagrams import address_number
from appliance.frames.ring import Frame
from appliance.media.rtp import Packet, serialise
from appliance.units import FRAME_BYTES, FRAME_MS, FRAME_NS, FRAME_SAMPLES, NS_PER_S
from chaos.table import Row, note, rows

TYPE = 118
FIRST = 1_000  # sample of the first packet; 0 is what is heard where one is missing
GOOD = 20_000  # the same, in the stream after the bad one
PACKETS = 60
FLAT_BYTES = 4 << 20
FUZZED = 1_000_000
FUZZ_AT_ONCE = 500
SEED = 20_261_123

Packets = Sequence[Packet | None]  # one each 20 ms; None: none


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtpBox]:
    """One leg's ear, that is the test's."""
    made = RtpBox.make(tmp_path_factory.mktemp("wire"))
    made.memory.write_roster(made.one_call())
    made.start()
    yield made
    made.close()


def stream(
    count: int = PACKETS, sequence: int = 0, timestamp: int = 0, ssrc: int = 7, first: int = FIRST
) -> list[Packet]:
    """Packets in order; all samples of each are of one value, which names it."""
    return [
        Packet(
            TYPE,
            sequence + place & 0xFFFF,
            timestamp + place * FRAME_SAMPLES & 0xFFFFFFFF,
            ssrc,
            struct.pack(">h", first + place) * FRAME_SAMPLES,
        )
        for place in range(count)
    ]


class Stream:
    """What the box hears of packets that come every 20 ms."""

    def __init__(self, box: RtpBox) -> None:
        self.box = box
        self.uplink = box.memory.reader("uplink", 0)
        self.uplink.seek(self.uplink.head)
        self.frames: list[Frame] = []

    def plays(self, packets: Packets) -> None:
        due_ns = clock.now_ns()
        for packet in packets:
            if packet:
                self.box.ear.sendto(serialise(packet), self.box.media.getsockname())
            due_ns += FRAME_NS
            clock.sleep_s(max(0.0, (due_ns - clock.now_ns()) / NS_PER_S))
            self.frames += self.uplink.pop_many(100)

    @property
    def heard(self) -> list[int]:
        """The samples that name the packets, 0 for a frame that was made up; each frame must be of one sample."""
        self.frames += self.uplink.pop_many(100)
        return [named(frame.payload) for frame in self.frames]


def named(payload: bytes) -> int:
    (sample,) = struct.unpack_from("<h", payload)
    assert payload == struct.pack("<h", sample) * FRAME_SAMPLES, "a frame of two packets"
    return int(sample)


def settled(box: RtpBox, packets: Packets) -> tuple[list[int], Outcome]:
    """Play them, then a good stream: what was heard of them, the longest silence, and when all was good again."""
    ear = Stream(box)
    ear.plays(packets)
    last = [packet for packet in packets if packet][-1]
    more = stream(25, last.sequence + 1, last.timestamp + FRAME_SAMPLES, last.ssrc, first=GOOD)
    since_ns, back_ns = clock.now_ns(), 0
    for packet in more:
        ear.plays([packet])
        if not back_ns and max(ear.heard) >= GOOD:
            back_ns = clock.now_ns()
    until(lambda: GOOD + 24 in ear.heard)
    assert ear.heard[-20:] == list(range(GOOD + 5, GOOD + 25)), "the good ones are heard as they were sent"
    before = [name for name in ear.heard if name < GOOD]
    return before, Outcome(back_s=(back_ns - since_ns) / NS_PER_S, gap_ms=longest_gap_ms(before))


def longest_gap_ms(heard: Sequence[int]) -> float:
    silences = [len(list(run)) for name, run in groupby(heard, bool) if not name]
    return float(max(silences, default=0) * FRAME_MS)


def loss(box: RtpBox) -> Outcome:
    lucky = random.Random(SEED)
    packets = stream()
    kept = [packet if lucky.random() >= 0.2 or packet in (packets[0], packets[-1]) else None for packet in packets]
    heard, outcome = settled(box, kept)
    assert heard == [FIRST + place if packet else 0 for place, packet in enumerate(kept)]
    return outcome


def reordering(box: RtpBox) -> Outcome:
    packets = stream(ssrc=8)
    for place in range(2, PACKETS - 2, 4):
        packets[place], packets[place + 1] = packets[place + 1], packets[place]
    heard, outcome = settled(box, packets)
    assert heard == [FIRST + place for place in range(PACKETS)]
    return outcome


def another_ssrc(box: RtpBox) -> Outcome:
    packets = stream(30, ssrc=9) + stream(30, 40_000, 123_456, 10, first=FIRST + 30)
    heard, outcome = settled(box, packets)
    assert heard == [FIRST + place for place in range(PACKETS)]
    return outcome


def sequence_wrap(box: RtpBox) -> Outcome:
    heard, outcome = settled(box, stream(sequence=0xFFFF - 30, timestamp=0xFFFFFFFF - 30 * FRAME_SAMPLES, ssrc=11))
    assert heard == [FIRST + place for place in range(PACKETS)]
    return outcome


def timestamp_jump(box: RtpBox) -> Outcome:
    packets = stream(30, ssrc=12) + stream(30, 30, 9_000_000, 12, first=FIRST + 30)
    heard, outcome = settled(box, packets)
    assert heard == [FIRST + place for place in range(PACKETS)]
    return outcome


def foreign_flood(box: RtpBox) -> Outcome:
    """200 packets from elsewhere in each 20 ms, with the leg's own numbers; not a sample of them is heard."""
    strangers, own, ear = box.vitals.get("strangers"), stream(ssrc=13), Stream(box)
    with udp() as stranger:
        to = address_number(*box.media.getsockname())
        for packet in own:
            forged = serialise(packet._replace(payload=struct.pack(">h", -1) * FRAME_SAMPLES))
            datagrams.send(stranger.fileno(), [(to, forged)] * 200)
            ear.plays([packet])
    until(lambda: len(ear.heard) == PACKETS)
    assert ear.heard == [FIRST + place for place in range(PACKETS)]
    assert box.vitals.get("strangers") - strangers > 0.9 * 200 * PACKETS
    return Outcome(back_s=0.0, gap_ms=0.0)


def fuzz(box: RtpBox) -> Outcome:
    """Packets of the leg's own address with every kind of mistake; the process lives, and does not grow."""
    pid, rtp = box.spawned.popen.pid, psutil.Process(box.spawned.popen.pid)
    chance, sent, to = random.Random(SEED), 0, address_number(*box.media.getsockname())
    came = box.vitals.get("packets_in")
    broken = [mutated(chance) for _ in range(20_000)]
    grown_from = 0
    while sent < FUZZED:
        batch = [(to, broken[(sent + place) % len(broken)]) for place in range(FUZZ_AT_ONCE)]
        datagrams.send(box.ear.fileno(), batch)
        sent += FUZZ_AT_ONCE
        due = came + 0.98 * sent
        until(lambda due=due: box.vitals.get("packets_in") >= due)
        if not grown_from and sent > FUZZED // 4:
            grown_from = rtp.memory_info().rss
    box.died()
    assert rtp.memory_info().rss - grown_from < FLAT_BYTES
    assert box.spawned.popen.pid == pid
    _, outcome = settled(box, stream(ssrc=14))
    return Outcome(back_s=outcome.back_s)


def mutated(chance: random.Random) -> bytes:
    """A packet with some of its bytes changed, of any length, or noise."""
    kind = chance.random()
    if kind < 0.2:
        return chance.randbytes(chance.randrange(0, 1_500))
    packet = bytearray(
        serialise(Packet(TYPE, chance.randrange(0x10000), chance.randrange(1 << 32), 7, bytes(FRAME_BYTES)))
    )
    for _ in range(chance.randrange(1, 4)):
        packet[chance.randrange(16)] = chance.randrange(256)
    return bytes(packet[: chance.randrange(len(packet) + 1)] if kind < 0.5 else packet)


MAKE: dict[str, Callable[[RtpBox], Outcome]] = {
    "loss of 20 %": loss,
    "reordering": reordering,
    "another SSRC": another_ssrc,
    "sequence wrap": sequence_wrap,
    "timestamp jump": timestamp_jump,
    "foreign flood": foreign_flood,
    "fuzz": fuzz,
}


@pytest.mark.parametrize("row", rows("wire"), ids=lambda row: row.name)
def test_what_was_sent_well_is_heard(box: RtpBox, row: Row) -> None:
    note(row, MAKE[row.name](box))
