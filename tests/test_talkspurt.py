"""The RTP stream of a booth: packets only while it speaks, time going on while it does not."""

from appliance.media.codecs import G722_64K
from appliance.media.rtp import Packet, parse
from appliance.media.talkspurt import KEEPALIVE_TICKS, TalkspurtStream


def stream() -> TalkspurtStream:
    return TalkspurtStream(G722_64K, encode=lambda frame: frame[:160], ssrc=77)


def test_the_marker_tells_the_first_packet_after_silence_and_time_went_on():
    booth = stream()
    packets = [parse(booth.packet(bytes(640), tick)) for tick in (5, 6, 7, 20, 21)]
    assert [packet.marker for packet in packets] == [True, False, False, True, False]
    assert [packet.sequence for packet in packets] == [5, 6, 7, 20, 21]
    assert [packet.timestamp for packet in packets] == [160 * tick for tick in (5, 6, 7, 20, 21)]


def test_sequence_and_timestamp_wrap():
    booth = stream()
    last = (1 << 48) - 1
    assert parse(booth.packet(bytes(640), last)) == Packet(9, 0xFFFF, 0xFFFFFF60, 77, bytes(160), marker=True)
    assert parse(booth.packet(bytes(640), last + 1)) == Packet(9, 0, 0, 77, bytes(160))


def test_another_process_goes_on_with_the_same_stream():
    before, after = parse(stream().packet(bytes(640), 1000)), parse(stream().packet(bytes(640), 1012))
    assert (after.ssrc, after.sequence - before.sequence) == (before.ssrc, 12)
    assert after.timestamp - before.timestamp == 12 * 160


def test_after_a_minute_of_silence_a_packet_keeps_the_receiver_in_step():
    booth = stream()
    for _ in range(2):
        booth.packet(bytes(640), 0)
        quiet = [booth.keep_quiet() for _ in range(KEEPALIVE_TICKS)]
        assert quiet == [True] * (KEEPALIVE_TICKS - 1) + [False]
