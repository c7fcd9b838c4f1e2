"""Datagrams in batches: what goes straight into the rings is what Python alone would have put there."""

import mmap
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance import clock
from appliance.frames import _ring
from appliance.frames.datagrams import StreamTable, address_number, send
from appliance.frames.ring import RingReader, RingWriter
from appliance.frames.roster import Address, Booth, Leg, Roster
from appliance.media.codecs import L16
from appliance.media.rtp import Packet, serialise
from appliance.units import FRAME_NS, FRAME_SAMPLES, NS_PER_S
from appliance.wire.uplink import Ear, Uplink

SLOTS = 256
SO_TIMESTAMPNS = 35


def new_ring() -> tuple[RingWriter, RingReader]:
    memory = mmap.mmap(-1, _ring.ring_bytes(SLOTS))
    _ring.format_ring(memory, 0, SLOTS)
    return RingWriter(memory, 0), RingReader(memory, 0)


def udp() -> socket.socket:
    endpoint = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    endpoint.bind(("127.0.0.1", 0))
    endpoint.settimeout(5)
    return endpoint


def number_of(endpoint: socket.socket) -> int:
    return address_number(*endpoint.getsockname())


def packet(i: int, ssrc: int = 5, frame_ticks: int = FRAME_SAMPLES, **changes: object) -> bytes:
    """Packet `i` of a stream whose sequence number soon wraps; each of its samples is `i`."""
    payload = struct.pack(">h", i) * FRAME_SAMPLES
    plain = Packet(L16.number, (65_530 + i) & 0xFFFF, i * frame_ticks & 0xFFFFFFFF, ssrc, payload)
    return serialise(plain._replace(**changes))


@dataclass
class Wire:
    """The media socket, a phone that talks to it, and a stranger."""

    media: socket.socket
    phone: socket.socket
    stranger: socket.socket

    def arrive(self, *datagrams: bytes) -> None:
        for datagram in datagrams:
            self.phone.sendto(datagram, self.media.getsockname())


@pytest.fixture
def wire() -> Iterator[Wire]:
    with udp() as media, udp() as phone, udp() as stranger:
        yield Wire(media, phone, stranger)


def heard_by(table: StreamTable, wire: Wire, row: int = 0) -> RingReader:
    writer, reader = new_ring()
    table.hear(row, number_of(wire.phone), writer, L16.number)
    return reader


def test_expected_packets_go_into_the_ring_and_nowhere_else(wire):
    table = StreamTable(4)
    reader = heard_by(table, wire, row=3)
    table.expect(3, 5, 65_530, 0)
    wire.arrive(*[packet(i, marker=i == 2) for i in range(80)])
    before_ns = clock.now_ns()
    assert table.receive(wire.media.fileno()) == []
    frames = reader.pop_many(SLOTS)
    assert [frame.payload for frame in frames] == [struct.pack("<h", i) * FRAME_SAMPLES for i in range(80)]
    assert [frame.timestamp for frame in frames] == [i * FRAME_SAMPLES for i in range(80)]
    assert all(before_ns <= frame.capture_ns + FRAME_NS <= clock.now_ns() for frame in frames)
    assert (table.packets, table.frames, table.strangers) == (80, 80, 0)
    assert table.expected(3) == (5, 65_530 + 80 - 0x10000, 80 * FRAME_SAMPLES)


def test_the_kernel_says_when_a_packet_arrived(wire):
    wire.media.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    table = StreamTable(1)
    heard_by(table, wire)
    wire.arrive(packet(0))
    arrived_ns = clock.now_ns()
    wire.arrive(*[packet(i) for i in range(1, 80)])
    [(_, first_ns, _), *_] = table.receive(wire.media.fileno())
    assert first_ns <= arrived_ns


ODD = {
    "another sequence number": packet(3, sequence=9),
    "another timestamp": packet(3, timestamp=9),
    "another source": packet(3, ssrc=9),
    "another payload type": packet(3, payload_type=0),
    "padding": packet(3, payload=bytes(636), padding_bytes=4),
    "a CSRC": packet(3, payload=bytes(636), csrcs=(1,)),
    "too short": packet(3)[:-1],
    "too long": packet(3) + b"x",
    "empty": b"",
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_from_an_odd_packet_on_a_stream_is_handed_up_until_python_says_what_to_expect(wire, odd):
    table = StreamTable(1)
    reader = heard_by(table, wire)
    table.expect(0, 5, 65_533, 3 * FRAME_SAMPLES)
    wire.arrive(odd, packet(3), packet(4))
    assert [(row, datagram) for row, _, datagram in table.receive(wire.media.fileno())] == [
        (0, odd),
        (0, packet(3)),
        (0, packet(4)),
    ]
    table.expect(0, 5, 65_535, 5 * FRAME_SAMPLES)
    wire.arrive(packet(5))
    assert table.receive(wire.media.fileno()) == []
    assert reader.pop().timestamp == 5 * FRAME_SAMPLES


def test_strangers_are_counted_and_the_ignored_are_not(wire):
    with udp() as booth:
        table = StreamTable(2)
        reader = heard_by(table, wire)
        table.ignore(1, number_of(booth))
        wire.stranger.sendto(packet(0), wire.media.getsockname())
        booth.sendto(packet(0), wire.media.getsockname())
        assert table.receive(wire.media.fileno()) == []
        assert (table.packets, table.strangers, reader.depth) == (0, 1, 0)


def test_a_forgotten_stream_is_a_stranger_again(wire):
    table = StreamTable(2)
    heard_by(table, wire, row=1)
    table.forget(1)
    wire.arrive(packet(0))
    assert table.receive(wire.media.fileno()) == []
    assert table.strangers == 1


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([20_000, 20_001, 20_002])), max_size=30))
def test_the_table_knows_who_is_where_after_any_changes(changes):
    """Rows move between few addresses: what arrives from each is told by the first row that has it."""
    writer, _ = new_ring()
    table = StreamTable(10)
    rows: dict[int, int] = {}
    with udp() as media:
        phones = [udp() for _ in range(3)]
        for row, address in changes:
            phone = phones[address - 20_000]
            table.forget(row) if rows.get(row) == address else table.hear(row, number_of(phone), writer, L16.number)
            rows = {**rows, row: address} if rows.get(row) != address else {r: a for r, a in rows.items() if r != row}
        for place, phone in enumerate(phones):
            with phone:
                phone.sendto(b"?", media.getsockname())
            owners = [row for row, address in rows.items() if address == 20_000 + place]
            assert [row for row, _, _ in table.receive(media.fileno())] == sorted(owners)[:1]


def test_what_the_table_cannot_do_is_refused():
    table = StreamTable(1)
    writer, _ = new_ring()
    with pytest.raises(IndexError, match="rows 0 to 0, not 1"):
        table.hear(1, 1, writer, L16.number)
    with pytest.raises(TypeError):
        table.hear(0, 1, "no writer", L16.number)
    with pytest.raises(ValueError, match="nothing is heard on row 0"):
        table.expect(0, 0, 0, 0)
    with pytest.raises(ValueError, match="1 to"):
        StreamTable(0)
    with pytest.raises(OSError, match="non-socket"), Path("/dev/null").open("rb") as no_socket:
        table.receive(no_socket.fileno())


def test_a_batch_is_sent_from_the_media_socket_and_a_refused_packet_stops_no_other(wire):
    to_phone, nowhere = number_of(wire.phone), address_number("127.0.0.1", 0)
    packets = [(to_phone, b"%d" % i) for i in range(150)]
    packets[70] = (nowhere, b"refused")
    assert send(wire.media.fileno(), packets) == 149
    received = [wire.phone.recvfrom(100) for _ in range(149)]
    assert [data for data, _ in received] == [b"%d" % i for i in range(150) if i != 70]
    assert {source for _, source in received} == {wire.media.getsockname()}
    assert send(wire.media.fileno(), []) == 0


@pytest.mark.parametrize("wrong", [[(1,)], [("127.0.0.1", b"")], [(1, "text")], [b"packet"]])
def test_only_addresses_and_bytes_are_sent(wire, wrong):
    with pytest.raises(TypeError):
        send(wire.media.fileno(), wrong)


def test_an_address_must_be_one():
    assert address_number("127.0.0.1", 5060) == 0x7F00_0001_13C4
    with pytest.raises(ValueError, match="localhost"):
        address_number("localhost", 5060)


# What may happen to packet i of a stream, as the datagrams that arrive in its place.
FATES = {
    "well": lambda i: [packet(i)],
    "lost": lambda _: [],
    "doubled": lambda i: [packet(i), packet(i)],
    "old": lambda i: [packet(max(0, i - 3))],
    "early": lambda i: [packet(i + 1), packet(i)],
    "paused": lambda i: [packet(i, timestamp=i * FRAME_SAMPLES + 1600)],
    "other source": lambda i: [packet(i, ssrc=6)],
    "far away": lambda i: [packet(i + 20_000)],
    "padded": lambda i: [packet(i, padding_bytes=8)],
    "garbage": lambda i: [b"garbage %d" % i],
    "cut": lambda i: [packet(i)[:-2]],
    "another type": lambda i: [packet(i, payload_type=9)],
}
fates = st.sampled_from(["well"] * 20 + list(FATES))


def listening(media: socket.socket, phone: socket.socket, counts: Counter[str]) -> tuple[Uplink, RingReader]:
    writer, reader = new_ring()
    uplink = Uplink(media.fileno(), [writer], booths=1, wait_frames=3, counts=counts, warn=lambda _: None)
    # Without the kernel's stamps all that is received at once has one time of arrival, so that the two ways can agree.
    media.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 0)
    uplink.follow(Roster(legs=(Leg(0, 1, "room", "en", Address(*phone.getsockname())),)))
    return uplink, reader


@settings(deadline=None, max_examples=200)
@given(st.lists(st.lists(fates, max_size=12), max_size=12))
def test_the_short_way_leaves_the_same_frames_as_python_alone(batches):
    counts, reference_counts = Counter[str](), Counter[str]()
    reference_writer, reference_reader = new_ring()
    reference = Ear(reference_writer, 3, reference_counts)
    with udp() as media, udp() as phone:
        uplink, reader = listening(media, phone, counts)
        i = 0
        for batch in batches:
            datagrams = [datagram for at, fate in enumerate(batch, start=i) for datagram in FATES[fate](at)]
            i += len(batch)
            for datagram in datagrams:
                phone.sendto(datagram, media.getsockname())
            now_ns = clock.now_ns()
            uplink.receive()
            uplink.poll(now_ns)
            for datagram in datagrams:
                reference.take(datagram, now_ns)
        uplink.poll(now_ns := clock.now_ns() + NS_PER_S)
        reference.poll(now_ns)
    frames, expected = reader.pop_many(SLOTS), reference_reader.pop_many(SLOTS)
    assert [(f.payload, f.timestamp, f.flags) for f in frames] == [(f.payload, f.timestamp, f.flags) for f in expected]
    del counts["packets_in"]
    assert +counts == +reference_counts


def test_each_call_of_a_place_begins_a_new_stream(wire):
    counts = Counter[str]()
    uplink, reader = listening(wire.media, wire.phone, counts)
    wire.arrive(packet(0), packet(1))
    uplink.receive()
    uplink.poll(0)
    first = reader.pop_many(9)
    uplink.follow(Roster())
    wire.arrive(packet(2))
    uplink.receive()
    uplink.follow(Roster(legs=(Leg(0, 2, "room", "en", Address(*wire.phone.getsockname())),)))
    wire.arrive(packet(3))
    uplink.receive()
    assert [(frame.timestamp // FRAME_SAMPLES, frame.flags) for frame in first + reader.pop_many(9)] == [
        (0, _ring.DISCONTINUITY),
        (1, 0),
        (3, _ring.DISCONTINUITY),
    ]
    assert counts["strangers"] == 1


def test_what_asterisk_says_to_a_booth_is_no_strangers(wire):
    counts = Counter[str]()
    uplink, _ = listening(wire.media, wire.phone, counts)
    booth = Booth(0, "room", "en", Address(*wire.stranger.getsockname()))
    for roster, strangers in ((Roster(booths=(booth,)), 0), (Roster(), 1)):
        uplink.follow(roster)
        wire.stranger.sendto(packet(0), wire.media.getsockname())
        uplink.receive()
        assert counts["strangers"] == strangers


def test_a_new_call_lines_its_ring_up_by_the_clock_and_a_new_process_does_not():
    memory = mmap.mmap(-1, _ring.ring_bytes(SLOTS))
    _ring.format_ring(memory, 0, SLOTS)
    writer, reader = RingWriter(memory, 0), RingReader(memory, 0)
    writer.push(b"before the restart")
    with udp() as media, udp() as phone:

        def arrive(call: int, number: int) -> None:
            uplink.follow(Roster(legs=(Leg(0, call, "room", "en", Address(*phone.getsockname())),)))
            phone.sendto(packet(number), media.getsockname())
            uplink.receive()
            uplink.poll(clock.now_ns() + NS_PER_S)

        uplink = Uplink(media.fileno(), [writer], 1, 3, Counter(), lambda _: None)
        arrive(call=1, number=0)
        assert [frame.payload[:6] for frame in reader.pop_many(9)] == [b"before", bytes(6)]
        arrive(call=2, number=7)
    frame = reader.pop()
    slots = memory[-SLOTS * _ring.SLOT_BYTES :]
    at = frame.capture_ns // FRAME_NS % SLOTS * _ring.SLOT_BYTES + 64
    assert frame.timestamp == 7 * FRAME_SAMPLES
    assert slots[at : at + len(frame.payload)] == frame.payload


def test_garbage_is_told_once_per_reason():
    warnings: list[str] = []
    writer, _ = new_ring()
    with udp() as media, udp() as phone:
        uplink = Uplink(media.fileno(), [writer], 1, 3, Counter(), warnings.append)
        uplink.follow(Roster(legs=(Leg(0, 1, "room", "en", Address(*phone.getsockname())),)))
        for datagram in (b"x", b"y", packet(0, payload_type=9)):
            phone.sendto(datagram, media.getsockname())
        uplink.receive()
        port = phone.getsockname()[1]
    assert warnings == [
        f"leg 0: packets from 127.0.0.1:{port} are dropped: shorter than the fixed header",
        f"leg 0: packets from 127.0.0.1:{port} are dropped: not the payload type of its stream",
    ]
