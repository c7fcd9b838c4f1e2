"""The RTP stream of a booth: packets only while it speaks, time going on while it does not."""

from appliance.media.codecs import G722_64K
from appliance.media.rtp import Packet, parse
from appliance.media.talkspurt import TalkspurtStream


def stream(sequence: int = 0, timestamp: int = 0) -> TalkspurtStream:
    return TalkspurtStream(G722_64K, encode=lambda frame: frame[:160], ssrc=77, sequence=sequence, timestamp=timestamp)


def test_the_marker_tells_the_first_packet_after_silence_and_time_went_on():
    booth = stream(sequence=10, timestamp=1000)
    packets = [parse(booth.packet(bytes(640), tick)) for tick in (5, 6, 7, 20, 21)]
    assert [packet.marker for packet in packets] == [True, False, False, True, False]
    assert [packet.sequence for packet in packets] == [10, 11, 12, 13, 14]
    assert [packet.timestamp for packet in packets] == [1000 + 160 * tick for tick in (5, 6, 7, 20, 21)]


def test_sequence_and_timestamp_wrap():
    booth = stream(sequence=0xFFFF, timestamp=0xFFFFFFFF)
    assert parse(booth.packet(bytes(640), 0)) == Packet(9, 0xFFFF, 0xFFFFFFFF, 77, bytes(160), marker=True)
    assert parse(booth.packet(bytes(640), 1)) == Packet(9, 0, 159, 77, bytes(160))
