"""What a listener hears at each tick: a booth's lanes, faster where they are behind, and softly the originals."""

import mmap
from collections import Counter

import numpy as np
import pytest

from appliance import clock
from appliance.frames._ring import format_ring, ring_bytes, ring_state
from appliance.frames.messages import FirstAudio, clause_stream
from appliance.frames.ring import END, START, RingReader, RingWriter
from appliance.frames.roster import Address, Booth, Lane, Leg, Roster
from appliance.units import FRAME_BYTES, FRAME_SAMPLES, FRAMES_PER_S
from appliance.wire.downlink import Downlink
from appliance.wire.originals import Originals

SLOTS = 2048
CALL = 3
PREFILL_FRAMES = 6
LEVEL_DB = -20.0  # a tenth
RTP_HEADER_BYTES = 12


class Wire:
    """Two people, each in a language of their own, both interpreted into a third; the codec is none."""

    def __init__(self, *, originals: bool = False, places: int = 2, same_speaker: bool = False) -> None:
        self.sent: list[bytes] = []
        self.journal: list[FirstAudio] = []
        self.memories = [_ring() for _ in range(places)]
        self.lanes = [RingWriter(memory, 0) for memory in self.memories]
        self.speakers = [RingWriter(_ring(), 0) for _ in range(places)]
        self._originals = Originals(self.speakers, LEVEL_DB) if originals else None
        address = Address("127.0.0.1", 4_000)
        self.roster = Roster(
            legs=tuple(Leg(place, 1, "r1", "en", address) for place in range(places)),
            booths=(Booth(0, "r1", "pt-br", address),),
            lanes=tuple(Lane(place, CALL, 0 if same_speaker else place, "pt-br", 0) for place in range(places)),
        )
        self._tick = 0
        self.downlink = self.start()

    def start(self) -> Downlink:
        """A process that knows nothing of the one before it."""
        readers = [RingReader(memory, 0) for memory in self.memories]
        self.downlink = Downlink(
            self._send, readers, PREFILL_FRAMES, Counter(), self.journal.append, lambda: bytes, self._originals
        )
        self.downlink.follow(self.roster)
        return self.downlink

    def say(self, lane: int, level: int, frames: int, clause: int = 0, said_ns: int = 0) -> None:
        """Put a clause into a lane; `said_ns`: when what it translates was said, long ago if nobody says."""
        sound = np.full(frames * FRAME_SAMPLES, level, "<i2").tobytes()
        self.lanes[lane].push_many(sound, clause_stream(9, clause), said_ns, CALL, START | END)

    def ticks(self, count: int, *speech: int) -> list[float | None]:
        """What is heard, as the mean level of each 20 ms; meanwhile the speakers speak at levels `speech`."""
        heard: list[float | None] = []
        for _ in range(count):
            for speaker, level in zip(self.speakers, speech, strict=False):
                speaker.push(np.full(FRAME_SAMPLES, level, "<i2").tobytes())
            self.sent.clear()
            self.downlink.tick(self._tick)
            self._tick += 1
            heard.append(float(np.mean(np.frombuffer(self.sent[0], "<i2"))) if self.sent else None)
        return heard

    def _send(self, packets: list[tuple[int, bytes]]) -> int:
        self.sent += [packet[RTP_HEADER_BYTES:] for _, packet in packets]
        return len(packets)


def _ring() -> mmap.mmap:
    memory = mmap.mmap(-1, ring_bytes(SLOTS))
    format_ring(memory, 0, SLOTS)
    return memory


def test_without_backlog_every_frame_is_heard_as_it_is():
    wire = Wire()
    wire.say(0, 5_000, frames=10)
    heard = wire.ticks(12)
    assert heard[1:9] == [5_000] * 8
    assert heard[10:] == [None, None]


def test_a_lane_that_is_behind_speaks_faster_and_then_at_ease_again():
    wire = Wire()
    for clause in range(10):
        wire.say(0, 5_000, frames=50, clause=clause)
    heard = wire.ticks(500)
    assert 400 < len([level for level in heard if level]) < 450  # at most a quarter faster, and not at once
    assert [told.clause for told in wire.journal] == list(range(10))
    wire.ticks(4 * FRAMES_PER_S)
    wire.say(0, 5_000, frames=19)
    assert len([level for level in wire.ticks(30) if level]) == 19


def test_a_long_sentence_that_begins_in_time_is_no_reason_to_hurry():
    wire = Wire()
    for clause in range(2):
        wire.say(0, 5_000, frames=100, clause=clause, said_ns=clock.now_ns())
    assert len([level for level in wire.ticks(250) if level]) == 200


def test_a_lane_hurries_within_a_clause_that_is_still_being_made():
    wire = Wire()
    wire.say(0, 5_000, frames=50)
    sound = np.full(5 * FRAME_SAMPLES, 4_000, "<i2").tobytes()
    heard = []
    for part in range(60):  # 300 frames, somewhat faster than they are heard
        flags = (START if part == 0 else 0) | (END if part == 59 else 0)
        wire.lanes[0].push_many(sound, clause_stream(9, 1), 0, CALL, flags)
        heard += wire.ticks(4)
    heard += wire.ticks(100)
    assert [told.clause for told in wire.journal] == [0, 1]
    assert 280 < len([level for level in heard if level]) < 330  # of 350
    last = max(at for at, level in enumerate(heard) if level)
    assert None not in heard[1:last]
    assert ring_state(wire.memories[0], 0).committed == 350


def test_of_many_lanes_each_keeps_up():
    wire = Wire(places=7)
    for lane in range(7):
        wire.say(lane, 1_000, frames=300)
    wire.ticks(290)
    assert [ring_state(memory, 0).committed for memory in wire.memories] == [300] * 7


def test_what_the_last_call_left_behind_does_not_seem_to_wait():
    wire = Wire()
    wire.lanes[0].push_many(bytes(30 * FRAME_BYTES), capture_ns=1, timestamp=CALL - 1, flags=START | END)
    assert wire.ticks(1) == [None]
    assert ring_state(wire.memories[0], 0).capture_ns == 0


def test_one_lane_that_is_behind_hurries_no_other():
    wire = Wire()
    wire.say(0, 5_000, frames=500)
    wire.say(1, 100, frames=20)
    heard = wire.ticks(30)
    assert [level for level in heard if level][1:19] == pytest.approx([5_100] * 18, abs=5)
    assert heard[19] < 5_100
    assert heard[20:] == pytest.approx([5_000] * 10, abs=5)


@pytest.mark.parametrize("killed_at", [70, 101, 133, 170])
def test_a_process_that_dies_while_a_lane_hurries_loses_nothing_and_repeats_little(killed_at):
    wire = Wire()
    wire.say(0, 5_000, frames=250)
    wire.ticks(killed_at)
    played = ring_state(wire.memories[0], 0).committed
    assert played > killed_at
    wire.start()
    rest = [level for level in wire.ticks(250) if level]
    assert (250 - played) / 1.25 <= len(rest) <= 250 - played
    assert ring_state(wire.memories[0], 0).committed == 250


def test_a_killed_process_repeats_at_most_what_was_on_its_way():
    """The frames' own numbers tell what is heard twice: the levels rise from frame to frame."""
    wire = Wire()
    levels = np.repeat(np.arange(1, 251, dtype="<i2") * 100, FRAME_SAMPLES)
    wire.lanes[0].push_many(levels.tobytes(), timestamp=CALL, flags=START | END)
    before = [level for level in wire.ticks(130) if level]
    wire.start()
    after = [level for level in wire.ticks(5) if level]
    assert after[1] <= before[-1] + 300  # nothing is missing
    assert after[1] > before[-1] - 300


def test_the_original_is_heard_softly_and_softer_under_its_translation():
    wire = Wire(originals=True)
    assert wire.ticks(4, 10_000)[2:] == pytest.approx([1_000] * 2, rel=0.01)
    wire.say(0, 5_000, frames=20)
    heard = wire.ticks(20, 10_000)
    assert heard[5:18] == pytest.approx([5_250] * 13, rel=0.01)
    assert wire.ticks(60, 10_000)[-1] == pytest.approx(1_000, rel=0.01)


def test_nothing_is_sent_while_nobody_speaks():
    wire = Wire(originals=True)
    assert wire.ticks(20, 0, 20) == [None] * 20


@pytest.mark.parametrize(("same_speaker", "level"), [(False, 1_000 + 2_000), (True, 1_000)])
def test_each_speaker_of_a_booths_lanes_is_heard_once(same_speaker, level):
    wire = Wire(originals=True, same_speaker=same_speaker)
    assert wire.ticks(5, 10_000, 20_000)[-1] == pytest.approx(level, rel=0.01)


def test_off_the_translation_alone_is_heard():
    wire = Wire()
    assert wire.ticks(5, 10_000, 20_000) == [None] * 5
