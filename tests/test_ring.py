"""The ring behaves like a list that forgets its oldest frames and counts what a reader missed."""

import mmap
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from numpy.typing import NDArray

from appliance.frames._ring import (
    FRAME_RECORD_BYTES,
    SLOT_BYTES,
    board_bytes,
    format_board,
    format_ring,
    ring_bytes,
    ring_state,
)
from appliance.frames.ring import (
    CONCEALED,
    END,
    FRAME_RECORD,
    START,
    Board,
    Frame,
    RingReader,
    RingWriter,
    pop_ready,
    push_each,
)
from appliance.units import FRAME_BYTES

SLOTS = 8


def make_ring(slots: int = SLOTS, first_sequence: int = 0) -> mmap.mmap:
    memory = mmap.mmap(-1, ring_bytes(slots))
    format_ring(memory, 0, slots, first_sequence)
    return memory


def both_ends(memory: mmap.mmap) -> tuple[RingWriter, RingReader]:
    return RingWriter(memory, 0), RingReader(memory, 0)


def payloads(frames: list[Frame]) -> list[bytes]:
    return [frame.payload for frame in frames]


def test_a_frame_comes_out_as_it_went_in() -> None:
    writer, reader = both_ends(make_ring())
    assert writer.push(b"hello", stream=2**64 - 1, capture_ns=123, timestamp=2**32 - 1, flags=START | CONCEALED) == 0
    frame = reader.pop()
    assert frame is not None
    assert (frame.sequence, frame.generation, frame.payload) == (0, 1, b"hello")
    assert (frame.capture_ns, frame.stream, frame.timestamp) == (123, 2**64 - 1, 2**32 - 1)
    assert frame.flags == START | CONCEALED
    assert reader.pop() is None
    assert (reader.position, reader.depth, reader.dropped, reader.torn) == (1, 0, 0, 0)


def test_a_frame_is_a_buffer_that_stays_when_its_slot_is_used_again() -> None:
    writer, reader = both_ends(make_ring())
    writer.push(b"first")
    frame = reader.pop()
    assert frame is not None
    for _ in range(SLOTS):
        writer.push(b"other")
    others = reader.pop_many(SLOTS)
    assert bytes(frame) == b"first"
    view = memoryview(frame)
    del frame, others
    assert (view.readonly, view.tobytes()) == (True, b"first")


def test_many_frames_may_be_held_at_once() -> None:
    writer, reader = both_ends(make_ring(slots=1024))
    for turn in range(3):
        for number in range(700):
            writer.push(number.to_bytes(2, "big") * (turn + 1))
        held = reader.pop_many(1000)
        assert payloads(held) == [number.to_bytes(2, "big") * (turn + 1) for number in range(700)]


def test_metadata_may_be_given_by_position() -> None:
    writer, reader = both_ends(make_ring())
    writer.push(b"", 1, 2, 3, flags=4)
    frame = reader.pop()
    assert frame is not None
    assert (frame.stream, frame.capture_ns, frame.timestamp, frame.flags, frame.payload) == (1, 2, 3, 4, b"")


def test_a_long_push_is_split_and_only_its_ends_are_marked() -> None:
    writer, reader = both_ends(make_ring())
    samples = bytes(range(256)) * 6  # 2 frames and 256 bytes
    assert writer.push_many(samples, stream=7, flags=START | END | CONCEALED) == 0
    frames = reader.pop_many(10)
    assert b"".join(payloads(frames)) == samples
    assert [len(frame.payload) for frame in frames] == [FRAME_BYTES, FRAME_BYTES, 256]
    assert [frame.flags for frame in frames] == [START | CONCEALED, CONCEALED, END | CONCEALED]
    assert {frame.stream for frame in frames} == {7}


def test_a_push_of_one_frame_is_both_start_and_end() -> None:
    writer, reader = both_ends(make_ring())
    writer.push_many(bytes(FRAME_BYTES), flags=START | END)
    assert [frame.flags for frame in reader.pop_many(10)] == [START | END]


@pytest.mark.parametrize("first_sequence", [0, 2**32 - 5, 2**53 - 5, 2**62 - 5])
def test_it_goes_round_and_past_large_numbers(first_sequence: int) -> None:
    writer, reader = both_ends(make_ring(first_sequence=first_sequence))
    for sequence in range(first_sequence, first_sequence + 5 * SLOTS):
        assert writer.push(sequence.to_bytes(8, "big")) == sequence
        frame = reader.pop()
        assert frame is not None
        assert (frame.sequence, frame.payload) == (sequence, sequence.to_bytes(8, "big"))
    assert reader.dropped == 0


def test_a_lapped_reader_goes_on_with_the_oldest_and_counts_the_rest() -> None:
    writer, reader = both_ends(make_ring())
    for number in range(3 * SLOTS):
        writer.push(bytes([number]))
    assert reader.depth == SLOTS
    assert payloads(reader.pop_many(100)) == [bytes([number]) for number in range(2 * SLOTS, 3 * SLOTS)]
    assert (reader.dropped, reader.torn) == (2 * SLOTS, 0)


def test_in_a_large_ring_a_lapped_reader_keeps_clear_of_the_writer() -> None:
    writer, reader = both_ends(make_ring(slots=64))
    for _ in range(65):
        writer.push(b"")
    frame = reader.pop()
    assert frame is not None
    assert frame.sequence == 1 + 64 // 16
    assert reader.dropped == frame.sequence


def test_a_restarted_writer_goes_on_in_the_next_generation() -> None:
    memory = make_ring()
    first, reader = both_ends(memory)
    first.push(b"one")
    del first
    second = RingWriter(memory, 0)
    assert (second.generation, second.head) == (2, 1)
    second.push(b"two")
    assert [(frame.sequence, frame.generation) for frame in reader.pop_many(9)] == [(0, 1), (1, 2)]


def test_a_restarted_reader_resumes_where_the_last_one_committed() -> None:
    memory = make_ring()
    writer, reader = both_ends(memory)
    writer.push_many(bytes(5 * FRAME_BYTES))
    reader.pop_many(2)
    reader.commit()
    reader.pop_many(2)
    resumed = RingReader(memory, 0)
    assert (resumed.position, resumed.committed, resumed.depth) == (2, 2, 3)
    resumed.commit(4)
    assert RingReader(memory, 0).position == 4


def test_rings_lined_up_go_on_from_the_same_slot_and_have_forgotten_what_was_before() -> None:
    memory = make_ring(first_sequence=5)
    writer, reader = both_ends(memory)
    writer.push(b"of another call")
    writer.line_up(3 * SLOTS + 1)
    for number in range(3):
        writer.push(bytes([7 + number]), capture_ns=number)
    slots = bytes(memory)[-SLOTS * SLOT_BYTES :]
    assert [slots[slot * SLOT_BYTES + 64] for slot in (1, 2, 3)] == [7, 8, 9]
    assert payloads(reader.pop_many(9)) == [b"\7", b"\x08", b"\x09"]
    assert (reader.dropped, reader.torn) == (1, 0)
    assert writer.read_back(5) is None
    assert writer.read_back(7) == b"\x08"
    reader.commit(7)
    assert ring_state(memory, 0).capture_ns == 1


def test_a_restarted_writer_and_reader_find_the_slots_lined_up() -> None:
    memory = make_ring()
    writer, reader = both_ends(memory)
    writer.line_up(6)
    writer.push(b"one")
    reader.commit(0)
    RingWriter(memory, 0).push(b"two")
    assert payloads(RingReader(memory, 0).pop_many(9)) == [b"one", b"two"]


def test_drops_are_counted_over_the_lives_of_the_reader() -> None:
    memory = make_ring()
    writer, reader = both_ends(memory)
    for _ in range(2):
        writer.push_many(bytes(SLOTS * FRAME_BYTES))
    reader.pop_many(100)
    assert RingReader(memory, 0).dropped == SLOTS


def test_seeking_back_replays() -> None:
    writer, reader = both_ends(make_ring())
    writer.push_many(bytes(4 * FRAME_BYTES))
    reader.pop_many(4)
    reader.seek(1)
    assert [frame.sequence for frame in reader.pop_many(9)] == [1, 2, 3]


def test_anyone_may_look_at_a_ring_without_touching_it() -> None:
    memory = make_ring()
    writer, reader = both_ends(memory)
    writer.push_many(bytes(3 * FRAME_BYTES))
    reader.pop()
    reader.commit()
    state = ring_state(memory, 0)
    assert (state.slots, state.head, state.generation) == (SLOTS, 3, 1)
    assert (state.position, state.committed, state.depth, state.dropped, state.torn) == (1, 1, 2, 0, 0)


def test_anyone_sees_when_the_frame_was_captured_that_its_reader_has_yet_to_finish() -> None:
    memory = make_ring()
    writer, reader = both_ends(memory)
    seen = []
    for capture_ns in (100, 200):
        writer.push(b"", capture_ns=capture_ns)
    for _ in range(3):
        seen.append(ring_state(memory, 0).capture_ns)
        reader.pop()
        reader.commit()
    assert seen == [100, 200, 0]
    writer.push_many(bytes(SLOTS * FRAME_BYTES), capture_ns=300)
    writer.push(b"overwrites the oldest")
    assert ring_state(memory, 0).capture_ns == 0


def test_a_writer_reads_back_what_its_ring_still_has() -> None:
    writer, reader = both_ends(make_ring())
    for number in range(SLOTS + 1):
        writer.push(b"%d" % number)
    assert [writer.read_back(sequence) for sequence in (0, 1, SLOTS, SLOTS + 1)] == [None, b"1", b"%d" % SLOTS, None]
    assert reader.depth == SLOTS


@pytest.mark.parametrize(
    ("samples", "least", "is_loud"),
    [([0, 3, -5], 5, True), ([0, 3, -5], 6, False), ([-32768], 32768, True), ([0], 0, True), ([], 1, False)],
)
def test_a_writer_reads_back_only_what_is_loud_enough(samples: list[int], least: int, is_loud: bool) -> None:
    writer, _ = both_ends(make_ring())
    payload = np.array(samples, "<i2").tobytes()
    writer.push(payload)
    assert writer.read_back(0, least) == (payload if is_loud else b"")


def test_a_writer_does_not_read_back_what_another_died_over() -> None:
    memory = make_ring()
    writer, _ = both_ends(memory)
    writer.push(b"half written")
    lock = ring_bytes(SLOTS) - SLOTS * (FRAME_BYTES + 64)
    memory[lock : lock + 8] = (2 * SLOTS + 1).to_bytes(8, "little")
    assert RingWriter(memory, 0).read_back(0) is None


@pytest.mark.parametrize("wrong", [(), (0, 1, 2), (-1,), (0, 40_000), ("0",)])
def test_a_writer_reads_back_frames_only(wrong: tuple[Any, ...]) -> None:
    writer, _ = both_ends(make_ring())
    with pytest.raises((TypeError, ValueError)):
        writer.read_back(*wrong)


def test_a_slot_that_is_being_written_is_not_returned() -> None:
    """The moment at which a writer dies in the middle of a push that laps the reader, made by hand."""
    memory = make_ring()
    writer, reader = both_ends(memory)
    writer.push_many(bytes(SLOTS * FRAME_BYTES))
    lock_of_oldest = ring_bytes(SLOTS) - SLOTS * (FRAME_BYTES + 64)
    memory[lock_of_oldest : lock_of_oldest + 8] = (2 * SLOTS + 1).to_bytes(8, "little")
    assert [frame.sequence for frame in reader.pop_many(100)] == list(range(1, SLOTS))
    assert reader.dropped == 1
    RingWriter(memory, 0).push(b"next")
    assert payloads(reader.pop_many(100)) == [b"next"]


def frame_records(count: int) -> NDArray[np.void]:
    return np.zeros(count, np.dtype(FRAME_RECORD))


def test_batches_go_to_many_rings_and_come_from_those_with_news() -> None:
    ends = [both_ends(make_ring()) for _ in range(3)]
    writers, readers = [writer for writer, _ in ends], [reader for _, reader in ends]
    push_each(writers, [b"a0", b"b0", b"c0"], 1, 5, timestamp=6, flags=START)
    writers[1].push(b"d0")
    found = frame_records(10)
    assert pop_ready(readers, found) == 4
    assert found["samples"][:4, 0].astype("<i2").tobytes() == b"a0b0d0c0"
    assert found["index"].tolist()[:4] == [0, 1, 1, 2]
    assert found["sequence"].tolist()[:4] == [0, 0, 1, 0]
    assert [tuple(found[0])[1:7]] == [(1, 5, 1, 6, START, 2)]
    assert found["capture_ns"].tolist()[:4] == [5, 5, 0, 5]
    assert pop_ready(readers, found) == 0


def test_what_does_not_fit_is_found_by_the_next_call() -> None:
    ends = [both_ends(make_ring()) for _ in range(3)]
    push_each([writer for writer, _ in ends], [bytes(640)] * 3)
    readers, found = [reader for _, reader in ends], frame_records(2)
    assert (pop_ready(readers, found), found["index"].tolist()) == (2, [0, 1])
    assert (pop_ready(readers, found), found["index"].tolist()[:1]) == (1, [2])


def test_numpy_sees_the_records_as_c_lays_them_out() -> None:
    assert np.dtype(FRAME_RECORD).itemsize == FRAME_RECORD_BYTES


def test_frames_are_taken_only_into_a_buffer_that_suits_them() -> None:
    _, reader = both_ends(make_ring())
    assert pop_ready([reader], bytearray(FRAME_RECORD_BYTES - 1)) == 0
    with pytest.raises(BufferError):
        pop_ready([reader], bytes(FRAME_RECORD_BYTES))
    with pytest.raises(ValueError, match="multiple of 8"):
        pop_ready([reader], memoryview(bytearray(FRAME_RECORD_BYTES))[1:])
    with pytest.raises(TypeError, match="readers must be a sequence of RingReader"):
        pop_ready([None], bytearray(FRAME_RECORD_BYTES))  # type: ignore[list-item]


def test_a_batch_that_fails_in_the_middle_has_pushed_what_came_before() -> None:
    ends = [both_ends(make_ring()) for _ in range(2)]
    with pytest.raises(ValueError, match="at most 640 bytes"):
        push_each([writer for writer, _ in ends], [b"fits", bytes(641)])
    assert payloads(ends[0][1].pop_many(9)) == [b"fits"]
    assert ends[1][1].pop() is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((bytes(641),), "at most 640 bytes, not 641"),
        ((b"", -1), "stream must be from 0 to 18446744073709551615, not -1"),
        ((b"", 0, 2**64), "capture_ns must be from 0"),
        ((b"", 0, 0, 2**32), "timestamp must be from 0 to 4294967295, not 4294967296"),
        ((b"", 0, 0, 0, -1), "flags must be from 0"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: tuple[Any, ...], message: str) -> None:
    writer, reader = both_ends(make_ring())
    with pytest.raises(ValueError, match=message):
        writer.push(*arguments)
    assert reader.pop() is None


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ((), {}),
        ((b"", 0, 0, 0, 0, 0), {}),
        ((b"",), {"colour": 1}),
        ((b"", 1), {"stream": 1}),
        ((b"", "one"), {}),
        ((5,), {}),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[Any, ...], names: dict[str, Any]) -> None:
    writer, _ = both_ends(make_ring())
    with pytest.raises(TypeError):
        writer.push(*arguments, **names)


@pytest.mark.parametrize("size", [0, SLOTS * FRAME_BYTES + 1])
def test_a_push_of_nothing_or_of_more_than_the_ring_is_refused(size: int) -> None:
    writer, _ = both_ends(make_ring())
    with pytest.raises(ValueError, match="1 to 8 frames"):
        writer.push_many(bytes(size))


def test_a_reader_cannot_go_beyond_the_head() -> None:
    writer, reader = both_ends(make_ring())
    writer.push(b"")
    with pytest.raises(ValueError, match="sequence must be from 0 to 1, not 2"):
        reader.seek(2)
    with pytest.raises(ValueError, match="sequence must be from 0 to 1, not 2"):
        reader.commit(2)
    with pytest.raises(ValueError, match="limit must be from 0"):
        reader.pop_many(-1)


def test_memory_that_holds_no_ring_is_refused() -> None:
    memory = mmap.mmap(-1, 4096)
    with pytest.raises(ValueError, match="no ring at offset 64"):
        RingWriter(memory, 64)
    with pytest.raises(ValueError, match="multiple of 64"):
        RingReader(memory, 8)
    with pytest.raises(ValueError, match="outside a memory of 4096 bytes"):
        RingReader(memory, 4096)
    with pytest.raises(ValueError, match="1024 slots do not fit at offset 0"):
        format_ring(memory, 0, 1024)
    with pytest.raises(ValueError, match="2 slots do not fit at offset 0"):
        format_ring(memory, 0, 2, slots_at=64)
    with pytest.raises(ValueError, match="power of two"):
        ring_bytes(12)
    with pytest.raises(BufferError):
        RingReader(bytes(4096), 0)  # type: ignore[arg-type,unused-ignore]


def test_a_ring_that_claims_to_be_larger_than_its_memory_is_refused() -> None:
    memory = make_ring()
    memory[8:16] = (1024).to_bytes(8, "little")
    with pytest.raises(ValueError, match="does not fit its memory"):
        RingReader(memory, 0)


def make_board(capacity: int = 1000) -> mmap.mmap:
    memory = mmap.mmap(-1, board_bytes(capacity))
    format_board(memory, 0, capacity)
    return memory


def test_a_board_shows_the_newest_blob_and_how_new_it_is() -> None:
    memory = make_board()
    board, other = Board(memory, 0), Board(memory, 0)
    assert other.read() == (0, b"")
    assert [board.write(blob) for blob in (b"one", b"two" * 300, b"")] == [1, 2, 3]
    assert (other.version, other.read()) == (3, (3, b""))
    with pytest.raises(ValueError, match="at most 1000 bytes, not 1001"):
        board.write(bytes(1001))
    assert other.read() == (3, b"")


def test_a_board_whose_writer_died_in_the_middle_shows_what_was_there_before() -> None:
    memory = make_board()
    board = Board(memory, 0)
    board.write(b"whole")
    half = (board_bytes(1000) - 128) // 2
    memory[128:136] = (5).to_bytes(8, "little")  # version 2 goes to the first half: its lock says "being written"
    memory[192:200] = b"garbage!"
    assert half > 1000
    assert board.read() == (1, b"whole")
    assert board.write(b"again") == 2
    assert board.read() == (2, b"again")


def test_a_damaged_board_is_an_error_and_not_a_hang() -> None:
    memory = make_board()
    memory[128:136] = (99).to_bytes(8, "little")
    with pytest.raises(BufferError, match="damaged"):
        Board(memory, 0).read()


class RingModel(RuleBasedStateMachine):
    """A ring, and the list that it should look like."""

    @initialize(slots=st.sampled_from([2, 8, 32]), first=st.sampled_from([0, 2**32 - 3, 2**40]) | st.integers(0, 2**62))
    def begin(self, slots: int, first: int) -> None:
        self.slots = slots
        self.memory = make_ring(slots, first)
        self.writer, self.reader = both_ends(self.memory)
        self.first = first
        self.pushed: list[tuple[int, int, bytes]] = []  # generation, stream, payload of frame first + index
        self.position = self.committed = first
        self.generation = 1
        self.dropped = 0
        self.shift = 0
        self.slot: dict[int, int] = {}  # whose frame is in it

    @property
    def head(self) -> int:
        return self.first + len(self.pushed)

    @rule(payload=st.binary(max_size=20), stream=st.integers(0, 2**64 - 1))
    def push(self, payload: bytes, stream: int) -> None:
        assert self.writer.push(payload, stream=stream) == self.head
        self.remember((self.generation, stream, payload))

    @rule(count=st.integers(1, 32), last=st.integers(1, FRAME_BYTES), stream=st.integers(0, 9))
    def push_many(self, count: int, last: int, stream: int) -> None:
        count = min(count, self.slots)
        parts = [bytes([number]) * FRAME_BYTES for number in range(count - 1)] + [b"z" * last]
        assert self.writer.push_many(b"".join(parts), stream=stream) == self.head
        self.remember(*((self.generation, stream, part) for part in parts))

    @rule(limit=st.integers(0, 40))
    def pop_many(self, limit: int) -> None:
        if limit and self.head - self.position > self.slots:
            oldest = self.head - self.slots + self.slots // 16
            self.dropped += oldest - self.position
            self.position = oldest
        frames = self.reader.pop_many(limit)
        expected = []
        while len(expected) < limit and self.position < self.head:
            if self.slot.get((self.position + self.shift) % self.slots) == self.position:
                expected.append((self.position, *self.pushed[self.position - self.first]))
            else:
                self.dropped += 1
            self.position += 1
        assert [(frame.sequence, frame.generation, frame.stream, frame.payload) for frame in frames] == expected

    def remember(self, *frames: tuple[int, int, bytes]) -> None:
        for frame in frames:
            self.slot[(self.head + self.shift) % self.slots] = self.head
            self.pushed.append(frame)

    @rule(position=st.integers(0, 2**64 - 1))
    def line_up(self, position: int) -> None:
        self.writer.line_up(position)
        self.shift = (position - self.head) % self.slots

    @rule(data=st.data())
    def seek(self, data: st.DataObject) -> None:
        self.position = data.draw(st.integers(self.first, self.head))
        self.reader.seek(self.position)

    @rule()
    def commit(self) -> None:
        self.reader.commit()
        self.committed = self.position

    @rule()
    def restart_reader(self) -> None:
        self.reader = RingReader(self.memory, 0)
        self.position = self.committed

    @precondition(lambda self: self.generation < 5)
    @rule()
    def restart_writer(self) -> None:
        self.writer = RingWriter(self.memory, 0)
        self.generation += 1

    @invariant()
    def agrees(self) -> None:
        assert (self.writer.head, self.writer.generation) == (self.head, self.generation)
        assert (self.reader.position, self.reader.committed) == (self.position, self.committed)
        assert self.reader.depth == min(self.slots, self.head - self.position)
        assert (self.reader.dropped, self.reader.torn) == (self.dropped, 0)


TestRingModel = RingModel.TestCase
TestRingModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
