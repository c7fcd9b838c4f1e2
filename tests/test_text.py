"""Messages arrive whole and in order, or not at all and counted."""

import mmap

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.frames._ring import format_ring, ring_bytes
from appliance.frames.messages import FirstAudio, JournalEntry, LogLine, Segment
from appliance.frames.ring import END, START, RingReader, RingWriter
from appliance.frames.text import TextReader, TextWriter
from appliance.units import FRAME_BYTES

SLOTS = 16


def make_ring(slots: int = SLOTS) -> mmap.mmap:
    memory = mmap.mmap(-1, ring_bytes(slots))
    format_ring(memory, 0, slots)
    return memory


def line(text: str) -> LogLine:
    return LogLine("mt", "info", text, 1)


def segment(text: str) -> Segment:
    return Segment(
        leg=1, call=1, seq_num=2**40, revision=0, final=True, start_ns=1, end_ns=2, language="en", text=text, asr_ms=1.5
    )


def reading(memory: mmap.mmap) -> TextReader[LogLine]:
    return TextReader(RingReader(memory, 0), LogLine)


def texts(reader: TextReader[LogLine]) -> list[str]:
    found = []
    while (message := reader.read()) is not None:
        found.append(message.text)
    return found


@pytest.mark.parametrize("length", [0, 1, FRAME_BYTES, 3 * FRAME_BYTES, 4000])
def test_a_message_of_any_length_arrives(length: int) -> None:
    memory = make_ring()
    writer, reader = TextWriter(RingWriter(memory, 0)), TextReader(RingReader(memory, 0), Segment)
    text = "ã" * (length // 2)
    assert writer.write(segment(text)) == 0
    assert reader.read() == segment(text)
    assert reader.read() is None
    assert (reader.dropped, reader.discarded, reader.depth) == (0, 0, 0)


def test_a_reader_of_a_union_tells_messages_apart() -> None:
    memory = make_ring()
    writer = TextWriter(RingWriter(memory, 0))
    reader = TextReader[JournalEntry](RingReader(memory, 0), JournalEntry)
    said, sent = line("hello"), FirstAudio(lane=1, seq_num=2, clause=0, sent_ns=3, chain_ns=4)
    writer.write(said)
    writer.write(sent)
    assert [reader.read(), reader.read(), reader.read()] == [said, sent, None]


def test_a_message_longer_than_half_the_ring_is_refused() -> None:
    memory = make_ring()
    writer = TextWriter(RingWriter(memory, 0))
    with pytest.raises(ValueError, match="at most 5120 bytes in this ring"):
        writer.write(line("x" * 6000))
    assert reading(memory).read() is None


def test_the_position_is_behind_the_last_message_read_so_that_a_restart_begins_with_a_whole_one() -> None:
    memory = make_ring()
    writer, reader = TextWriter(RingWriter(memory, 0)), reading(memory)
    for text in ("a", "b" * 1500, "c"):
        writer.write(line(text))
    assert reader.read() == line("a")
    done = reader.position
    assert reader.read() == line("b" * 1500)
    assert (done, reader.position) == (1, 4)
    reader.commit(done)
    assert texts(reading(memory)) == ["b" * 1500, "c"]
    reader.commit()
    assert texts(reading(memory)) == ["c"]


def test_what_a_dead_writer_left_unfinished_is_discarded() -> None:
    memory = make_ring()
    dying, reader = RingWriter(memory, 0), reading(memory)
    TextWriter(dying).write(line("before"))
    dying.push(b"begun", flags=START)
    dying.push(b"and on")
    assert texts(reader) == ["before"]
    committed = reader.position
    TextWriter(RingWriter(memory, 0)).write(line("after"))
    assert texts(reader) == ["after"]
    assert (reader.discarded, reader.dropped) == (1, 0)
    assert committed == 1


def test_a_continuation_by_another_generation_is_not_glued_on() -> None:
    memory = make_ring()
    reader = reading(memory)
    record = msgspec.msgpack.encode(line("x"))
    RingWriter(memory, 0).push(record[:5], flags=START)
    RingWriter(memory, 0).push(record[5:], flags=END)
    assert texts(reader) == []
    assert reader.discarded == 1


def test_what_is_left_of_a_message_after_a_lap_is_discarded() -> None:
    memory = make_ring()
    writer, reader = TextWriter(RingWriter(memory, 0)), reading(memory)
    for number in range(7):
        writer.write(line(f"{number}" * 2200))  # 4 frames each; the oldest that is read is frame 13
    assert texts(reader) == [f"{number}" * 2200 for number in range(4, 7)]
    assert (reader.discarded, reader.dropped) == (1, 13)


def test_a_lap_in_the_middle_of_a_message_discards_it_once() -> None:
    memory = make_ring()
    ring = RingWriter(memory, 0)
    writer, reader = TextWriter(ring), reading(memory)
    ring.push(b"begun", flags=START)
    assert reader.read() is None
    ring.push(b"on")
    for number in range(6):
        writer.write(line(f"{number}" * 1500))
    assert texts(reader) == [f"{number}" * 1500 for number in range(1, 6)]
    assert reader.discarded == 1


@pytest.mark.parametrize("garbage", [b"", b"\xc1", b"\x81\xa4type\xa5ghost", msgspec.msgpack.encode({"type": "log"})])
def test_what_cannot_be_decoded_is_counted_and_not_raised(garbage: bytes) -> None:
    memory = make_ring()
    ring, reader = RingWriter(memory, 0), reading(memory)
    ring.push(garbage, flags=START | END)
    TextWriter(ring).write(line("fine"))
    assert texts(reader) == ["fine"]
    assert reader.discarded == 1


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("write"), st.integers(0, 3000)),
            st.tuples(st.just("die"), st.integers(1, 4)),
            st.tuples(st.just("read"), st.integers(1, 5)),
        ),
        max_size=40,
    )
)
def test_whatever_happens_what_arrives_is_whole_and_in_order(steps: list[tuple[str, int]]) -> None:
    """Writers write, or die after some frames of a message; the reader reads a little, much, or too late."""
    memory = make_ring()
    ring, reader = RingWriter(memory, 0), reading(memory)
    written: list[str] = []
    received: list[str] = []
    unfinished = 0
    for step, amount in steps:
        if step == "write":
            text = f"{len(written)}:" + "x" * amount
            TextWriter(ring).write(line(text))
            written.append(text)
        elif step == "die":
            ring.push(b"begun", flags=START)
            for _ in range(amount - 1):
                ring.push(b"on")
            unfinished += 1
            ring = RingWriter(memory, 0)
        else:
            received += [message.text for _ in range(amount) if (message := reader.read())]
    received += texts(reader)
    numbers = [int(text.split(":")[0]) for text in received]
    assert received == [written[number] for number in numbers]
    assert numbers == sorted(set(numbers))
    if reader.dropped == 0:
        assert received == written
        last_is_unfinished = bool(steps) and next((s for s, _ in reversed(steps) if s != "read"), "") == "die"
        assert reader.discarded == unfinished - last_is_unfinished


@given(lengths=st.lists(st.sampled_from([0, 10, 700, 1500]), min_size=1, max_size=12))
def test_a_successor_can_tell_what_was_written_last_without_the_reader_noticing(lengths: list[int]) -> None:
    memory = make_ring()
    writer, reader = TextWriter(RingWriter(memory, 0)), RingReader(memory, 0)
    sent = [line(f"{number} " + "x" * length) for number, length in enumerate(lengths)]
    for message in sent:
        writer.write(message)
    depth = reader.depth
    written = TextWriter(RingWriter(memory, 0)).written(LogLine)
    assert written == sent[-len(written) :]
    assert len(written) == len(sent) or depth > SLOTS - 3  # what is missing was overwritten, in part at least
    assert reader.depth == depth
