"""The jitter buffer: nothing waits in good times, and bad times are put in order, filled and counted."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.media.jitter_buffer import MAX_GAP_FRAMES, MAX_MISORDER, JitterBuffer, Release
from appliance.media.rtp import Packet
from appliance.units import FRAME_NS, FRAME_SAMPLES

WAIT_FRAMES = 3


class Stream:
    """A sender of numbered packets into a jitter buffer. Packet `i` is sent at i x 20 ms and its payload tells `i`."""

    def __init__(self, first_sequence: int = 0, first_timestamp: int = 0, ssrc: int = 1) -> None:
        self.counts = Counter[str]()
        self.buffer = JitterBuffer(WAIT_FRAMES, self.counts)
        self.first_sequence = first_sequence
        self.first_timestamp = first_timestamp
        self.ssrc = ssrc

    def packet(self, i: int, ssrc: int | None = None, skipped_frames: int = 0) -> Packet:
        timestamp = self.first_timestamp + (i + skipped_frames) * FRAME_SAMPLES
        sequence = (self.first_sequence + i) & 0xFFFF
        return Packet(118, sequence, timestamp & 0xFFFFFFFF, ssrc or self.ssrc, str(i).encode())

    def arrives(self, *numbers: int, at_frame: float | None = None, **kwargs: int) -> list[str]:
        """Push packets, each at its own time if no other is given; what comes out, "-" where it is concealed."""
        released = []
        for i in numbers:
            now_ns = int((i if at_frame is None else at_frame) * FRAME_NS)
            released += self.buffer.push(self.packet(i, **kwargs), now_ns)
        return told(released)


def told(releases: list[Release]) -> list[str]:
    """Numbers of the packets released, "-" for a concealed one, "!" before a discontinuity."""
    return ["-" if r.concealed else "!" * r.discontinuity + r.payload.decode() for r in releases]


@pytest.mark.parametrize("first_sequence", [0, 65_533])
def test_in_good_times_every_packet_is_released_as_it_comes(first_sequence):
    stream = Stream(first_sequence, first_timestamp=0xFFFFFFFF - FRAME_SAMPLES)
    assert [stream.arrives(i) for i in range(6)] == [["!0"], ["1"], ["2"], ["3"], ["4"], ["5"]]
    assert not +stream.counts


@pytest.mark.parametrize("first_sequence", [0, 65_534])
def test_a_packet_that_comes_a_little_late_is_put_in_order(first_sequence):
    stream = Stream(first_sequence)
    stream.arrives(0)
    assert stream.arrives(2, 3) == []
    assert stream.arrives(1, at_frame=3.1) == ["1", "2", "3"]
    assert +stream.counts == {"reordered": 1}


def test_a_gap_is_concealed_when_it_has_lasted_as_long_as_a_gap_may():
    stream = Stream()
    stream.arrives(0)
    assert stream.arrives(3) == []
    assert stream.buffer.poll(int((3 + WAIT_FRAMES) * FRAME_NS) - 1) == []
    releases = stream.buffer.poll((3 + WAIT_FRAMES) * FRAME_NS)
    assert told(releases) == ["-", "-", "3"]
    assert [r.timestamp for r in releases] == [FRAME_SAMPLES, 2 * FRAME_SAMPLES, 3 * FRAME_SAMPLES]
    assert [r.capture_ns for r in releases] == [0, FRAME_NS, 2 * FRAME_NS]
    assert +stream.counts == {"concealed_frames": 2}


def test_a_gap_is_concealed_at_once_when_more_wait_behind_it_than_may():
    stream = Stream()
    stream.arrives(0)
    assert stream.arrives(2, 3, 4, at_frame=2) == []
    assert stream.arrives(5, at_frame=2) == ["-", "2", "3", "4", "5"]


def test_each_gap_waits_for_its_own_time():
    stream = Stream()
    stream.arrives(0)
    stream.arrives(2, at_frame=2)
    stream.arrives(4, at_frame=4)
    assert told(stream.buffer.poll(5 * FRAME_NS)) == ["-", "2"]
    assert told(stream.buffer.poll(7 * FRAME_NS)) == ["-", "4"]


def test_a_packet_after_its_place_was_concealed_is_late_and_a_second_copy_is_a_duplicate():
    stream = Stream()
    stream.arrives(0, 2)
    stream.buffer.poll(9 * FRAME_NS)
    assert stream.arrives(1, at_frame=9) == []
    assert stream.arrives(2, at_frame=9) == []
    assert +stream.counts == {"concealed_frames": 1, "late_packets": 1, "duplicates": 1}


def test_a_second_copy_of_a_waiting_packet_is_a_duplicate():
    stream = Stream()
    stream.arrives(0, 2, 2)
    assert stream.arrives(1) == ["1", "2"]
    assert +stream.counts == {"duplicates": 1, "reordered": 1}


def test_a_pause_of_the_sender_is_a_discontinuity_and_not_a_gap():
    stream = Stream()
    stream.arrives(0, 1)
    assert stream.arrives(2, skipped_frames=500) == ["!2"]
    assert stream.arrives(3, skipped_frames=500) == ["3"]
    assert not +stream.counts


@pytest.mark.parametrize("jump", [MAX_GAP_FRAMES + 1, 30_000, 0x10000 - MAX_MISORDER - 2])
def test_a_jump_is_believed_when_two_packets_in_a_row_agree(jump):
    stream = Stream()
    stream.arrives(0, 1, at_frame=0)
    assert stream.arrives(2 + jump, at_frame=1) == []
    assert stream.arrives(3 + jump, at_frame=2) == [f"!{2 + jump}", str(3 + jump)]
    assert stream.arrives(4 + jump, at_frame=3) == [str(4 + jump)]
    assert +stream.counts == {"jumps": 1}


def test_a_new_ssrc_is_believed_when_two_packets_in_a_row_agree():
    stream = Stream()
    stream.arrives(0, 1, 3)
    assert stream.arrives(4, ssrc=2) == []
    assert stream.arrives(5, ssrc=2) == ["-", "3", "!4", "5"]
    assert +stream.counts == {"concealed_frames": 1, "jumps": 1}


def test_a_stray_packet_changes_nothing():
    stream = Stream()
    stream.arrives(0)
    assert stream.arrives(40_000, at_frame=0) == []
    assert stream.arrives(1) == ["1"]
    assert stream.arrives(40_001, at_frame=1) == []
    assert stream.arrives(2) == ["2"]
    assert +stream.counts == {"strays": 2}


def test_a_longest_gap_is_filled_and_a_longer_one_is_not():
    stream = Stream()
    stream.arrives(0)
    stream.arrives(MAX_GAP_FRAMES + 1, at_frame=1)
    assert len(stream.buffer.poll(9 * FRAME_NS)) == MAX_GAP_FRAMES + 1


def test_what_it_expects_is_told_only_while_nothing_is_open():
    stream = Stream(first_sequence=65_535, ssrc=9)
    assert stream.buffer.expected is None
    stream.arrives(0)
    assert stream.buffer.expected == (9, 0, FRAME_SAMPLES)
    stream.arrives(2)
    assert stream.buffer.expected is None
    stream.arrives(1)
    assert stream.buffer.expected == (9, 2, 3 * FRAME_SAMPLES)
    stream.arrives(30_000, at_frame=3)
    assert stream.buffer.expected is None


def test_it_goes_on_where_somebody_else_has_released():
    stream = Stream()
    stream.arrives(0)
    stream.buffer.skip_to(stream.buffer.expected._replace(sequence=10, timestamp=10 * FRAME_SAMPLES))
    assert stream.arrives(10) == ["10"]
    assert stream.arrives(9, at_frame=10) == []
    assert +stream.counts == {"duplicates": 1}


@given(
    first_sequence=st.integers(0, 0xFFFF),
    first_timestamp=st.integers(0, 0xFFFFFFFF),
    fates=st.lists(st.tuples(st.sampled_from("....ldD"), st.floats(0, 6)), max_size=150),
)
def test_any_weather_gives_one_frame_per_place_in_order(first_sequence, first_timestamp, fates):
    """Packets are lost (l), delayed (d) by 0 to 6 frames, or doubled (D): every place up to the last is filled once."""
    stream = Stream(first_sequence, first_timestamp)
    arrivals = [(0.0, 0)]
    for i, (fate, delay) in enumerate(fates, start=1):
        arrivals += [] if fate == "l" else [(i + delay * (fate == "d"), i)]
        arrivals += [(i + delay, i)] if fate == "D" else []
    releases = []
    for at_frame, i in sorted(arrivals):
        releases += stream.buffer.push(stream.packet(i), int(at_frame * FRAME_NS))
    releases += stream.buffer.poll(1000 * FRAME_NS)

    timestamps = [(r.timestamp - first_timestamp) & 0xFFFFFFFF for r in releases]
    assert timestamps == [i * FRAME_SAMPLES for i in range(len(releases))]
    assert all(r.concealed or int(r.payload) == place for place, r in enumerate(releases))
    assert not any(r.discontinuity for r in releases[1:])
    assert len(releases) == 1 + max(i for _, i in arrivals)
    heard = sum(not r.concealed for r in releases)
    assert heard + stream.counts["duplicates"] + stream.counts["late_packets"] == len(arrivals)
    assert stream.counts["concealed_frames"] == len(releases) - heard


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.integers(1, 3)), max_size=200))
def test_no_packets_whatever_raise_or_pile_up(packets):
    buffer = JitterBuffer(WAIT_FRAMES, Counter())
    released = 0
    for i, (sequence, timestamp, ssrc) in enumerate(packets):
        released += sum(
            not r.concealed for r in buffer.push(Packet(118, sequence, timestamp, ssrc, b"x"), i * FRAME_NS)
        )
    released += sum(not r.concealed for r in buffer.poll(10**15))
    assert released <= len(packets)
