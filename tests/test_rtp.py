"""RTP packets: what is written is read back, and no datagram whatever raises."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.media.rtp import Extension, Garbage, Packet, parse, serialise

# A packet as RFC 3550 section 5.1 draws it, written by hand: marker, type 118, one CSRC, one extension word, padding 4.
BY_HAND = bytes.fromhex("b1f6 0102 00000140 cafebabe 00000007 beef0001 11223344 aabb 00000004")

words = st.integers(0, 0xFFFFFFFF)
packets = st.builds(
    Packet,
    payload_type=st.integers(0, 63) | st.integers(96, 127),  # those between are RTCP's when the marker is set
    sequence=st.integers(0, 0xFFFF),
    timestamp=words,
    ssrc=words,
    payload=st.binary(max_size=700),
    marker=st.booleans(),
    csrcs=st.lists(words, max_size=15).map(tuple),
    extension=st.none()
    | st.builds(
        Extension, st.integers(0, 0xFFFF), st.lists(words, max_size=4).map(lambda w: struct.pack(f"!{len(w)}I", *w))
    ),
    padding_bytes=st.integers(0, 255),
)


@given(packets)
def test_what_is_serialised_is_parsed_back(packet):
    assert parse(serialise(packet)) == packet


@given(st.binary(max_size=64) | packets.map(serialise))
def test_no_datagram_raises(datagram):
    assert isinstance(parse(datagram), Packet | Garbage)


@given(packets, st.data())
def test_a_packet_cut_short_is_garbage_or_shorter(packet, data):
    datagram = serialise(packet)
    cut = parse(datagram[: data.draw(st.integers(0, len(datagram) - 1))])
    assert isinstance(cut, Garbage) or len(cut.payload) <= len(packet.payload) + packet.padding_bytes


def test_every_field_is_where_the_rfc_puts_it():
    packet = parse(BY_HAND)
    assert packet == Packet(
        payload_type=118,
        sequence=0x0102,
        timestamp=320,
        ssrc=0xCAFEBABE,
        payload=b"\xaa\xbb",
        marker=True,
        csrcs=(7,),
        extension=Extension(0xBEEF, bytes.fromhex("11223344")),
        padding_bytes=4,
    )
    assert serialise(packet) == BY_HAND


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", Garbage.SHORT),
        (bytes(11), Garbage.SHORT),
        (bytes(12), Garbage.VERSION),
        (b"\xc0" + bytes(11), Garbage.VERSION),
        (b"\x80\xc8" + bytes(26), Garbage.RTCP),  # a sender report
        (b"\x82\x00" + bytes(10) + bytes(7), Garbage.CSRC),
        (b"\x90\x00" + bytes(10) + bytes(3), Garbage.EXTENSION),
        (b"\x90\x00" + bytes(10) + b"\x00\x00\x00\x02" + bytes(7), Garbage.EXTENSION),
        (b"\xa0\x00" + bytes(10), Garbage.PADDING),
        (b"\xa0\x00" + bytes(10) + b"\x00", Garbage.PADDING),
        (b"\xa0\x00" + bytes(10) + b"\x01\x03", Garbage.PADDING),
    ],
)
def test_garbage_has_a_reason(datagram, reason):
    assert parse(datagram) is reason


def test_a_packet_may_be_all_padding():
    packet = parse(b"\xa0\x00" + bytes(10) + b"\x00\x02")
    assert isinstance(packet, Packet)
    assert (packet.payload, packet.padding_bytes) == (b"", 2)


@pytest.mark.parametrize(
    "impossible",
    [
        Packet(118, 0x10000, 0, 0, b""),
        Packet(118, 0, -1, 0, b""),
        Packet(118, 0, 0, 0, b"", csrcs=(0,) * 16),
        Packet(118, 0, 0, 0, b"", extension=Extension(0, b"abc")),
    ],
)
def test_a_packet_that_cannot_be_is_not_serialised(impossible):
    with pytest.raises((struct.error, ValueError)):
        serialise(impossible)
