"""Asterisk's side in `bench lag`: what an ear sends, what a booth keeps, on real sockets."""

import socket
from collections.abc import Iterator

import numpy as np
import pytest

from appliance.bench.lag_wire import BoothEnd, Wire
from appliance.frames.roster import Address
from appliance.media.codecs import G722_64K, G722Encoder
from appliance.media.rtp import Packet, parse, serialise
from appliance.units import FRAME_BYTES, FRAME_NS


@pytest.fixture
def media() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        endpoint.bind(("127.0.0.1", 0))
        endpoint.settimeout(20)
        yield endpoint


def test_each_ear_sends_its_voice_and_then_silence(media: socket.socket) -> None:
    voices = [np.arange(500, dtype=np.int16) + 1, np.full(320, -2, np.int16)]
    with Wire(voices, 0, Address(*media.getsockname())) as wire:
        ears = {(ear.host, ear.port): number for number, ear in enumerate(wire.ears)}
        packets: list[list[Packet]] = [[], []]
        wire.start()
        while min(map(len, packets)) < 4:
            datagram, source = media.recvfrom(2048)
            packet = parse(datagram)
            assert isinstance(packet, Packet)
            packets[ears[source]].append(packet)
        assert wire.speech_end_ns - wire.start_ns == 2 * FRAME_NS
    for number, sent in enumerate(packets):
        assert [packet.sequence for packet in sent[:4]] == [0, 1, 2, 3]
        assert [packet.timestamp for packet in sent[:4]] == [0, 320, 640, 960]
        assert {(packet.payload_type, len(packet.payload)) for packet in sent} == {(118, FRAME_BYTES)}
        heard = np.concatenate([np.frombuffer(packet.payload, ">i2") for packet in sent[:4]])
        assert heard[: len(voices[number])].tolist() == voices[number].tolist()
        assert not heard[len(voices[number]) :].any()


def g722(numbers: list[int], clock: int = 0) -> list[bytes]:
    """Loud packets whose RTP clock stands at 20 ms times their number."""
    encode = G722Encoder().encode
    loud = (8_000 * np.sin(np.arange(320) / 3)).astype("<i2").tobytes()
    return [
        serialise(Packet(G722_64K.number, number & 0xFFFF, (clock + 160 * number) & 0xFFFFFFFF, 5, encode(loud)))
        for number in numbers
    ]


@pytest.mark.parametrize("clock", [0, 0xFFFFFFFF - 160])  # the RTP clock begins anywhere, and wraps
def test_a_booth_keeps_every_packet_where_its_clock_says(clock: int) -> None:
    with Wire([], 1, Address("127.0.0.1", 9)) as wire, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as box:
        [booth] = wire.booths
        for datagram in [*g722([0, 1, 2, 7, 8, 5], clock), b"garbage"]:
            box.sendto(datagram, (booth.address.host, booth.address.port))
        booth.receive()
        assert len(booth.received) == 6
        sound = booth.heard(booth.received[0].arrival_ns)
    loud = [bool(np.abs(frame).max() > 4_000) for frame in sound.reshape(-1, 320)]
    assert loud == [True, True, True, False, False, True, False, True, True]


def test_a_booth_that_is_sent_nothing_hears_nothing() -> None:
    with Wire([], 1, Address("127.0.0.1", 9)) as wire:
        [booth] = wire.booths
        assert isinstance(booth, BoothEnd)
        assert len(booth.heard(0)) == 0
