"""What is kept of a leg's speech until a remote recogniser has answered for it."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.engines.replay_buffer import AudioFrame, ReplayBuffer
from appliance.units import FRAME_NS


def frame(number: int, capture_ns: int | None = None) -> AudioFrame:
    return AudioFrame(b"%d" % number, number * FRAME_NS if capture_ns is None else capture_ns, 100 + number)


def buffer_of(count: int, limit_frames: int = 1000) -> ReplayBuffer:
    buffer = ReplayBuffer(limit_frames)
    for number in range(count):
        buffer.append(frame(number))
    return buffer


@given(st.lists(st.tuples(st.sampled_from(["append", "settle"]), st.floats(0, 60))), st.integers(1, 20))
def test_it_holds_the_newest_of_what_is_not_settled(steps: list[tuple[str, float]], limit_frames: int) -> None:
    buffer, made, first = ReplayBuffer(limit_frames), 0, 0
    for step, position in steps:
        if step == "append":
            buffer.append(frame(made))
            made += 1
        else:
            buffer.settle(position)
            first = max(first, min(int(position + 1e-6), made))
        first = max(first, made - limit_frames)
        assert (buffer.first, buffer.end) == (first, made)
        assert buffer.read(first, 100) == [b"%d" % number for number in range(first, made)]
        assert buffer.needed_from == (100 + first if made else 0)


def test_what_does_not_fit_is_counted() -> None:
    assert buffer_of(5, limit_frames=3).dropped == 2


def test_a_frame_is_settled_only_as_a_whole() -> None:
    buffer = buffer_of(10)
    buffer.settle(3.5)
    assert buffer.first == 3
    buffer.settle(1.02 * 50 - 47)  # 3.999… for 4
    assert buffer.first == 4


def test_reading_stops_where_an_utterance_ends() -> None:
    buffer = buffer_of(3)
    buffer.end_utterance()
    buffer.append(frame(3))
    assert buffer.read(1, 100) == [b"1", b"2"]
    assert buffer.ends_at(3)
    assert buffer.read(3, 100) == [b"3"]
    assert buffer.read(0, 2) == [b"0", b"1"]


def test_sound_has_the_time_of_the_frames_it_lies_in() -> None:
    buffer = buffer_of(2)
    later_ns = 500 * FRAME_NS
    buffer.append(frame(2, later_ns))  # after a gap
    assert buffer.start_ns(0.5) == FRAME_NS // 2
    assert buffer.end_ns(2.0) == 2 * FRAME_NS  # before the gap
    assert buffer.start_ns(2.0) == later_ns  # after it
    assert buffer.seq_num_at(2.0) == 102
