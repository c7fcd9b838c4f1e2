"""One lane of tts: what it says next, how far it is behind, and its clauses in the downlink, each from START to END."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from appliance.engines.protocols import Samples
from appliance.frames.messages import Spoken, Translation, clause_stream
from appliance.frames.ring import END, START, RingWriter
from appliance.frames.roster import call_stamp
from appliance.recovery.overload import gives_up
from appliance.speech.catch_up import Pace, next_pace
from appliance.speech.clauses import pause_after_ms
from appliance.speech.phrasing import Voice, Waiting, words_to_speak
from appliance.stages.word_queue import QueuedWord, WordQueue, done
from appliance.units import FRAME_BYTES, NS_PER_MS

FULL_SCALE = 32_767


@dataclass(frozen=True, slots=True)
class Clause:
    """What is spoken in one go: words of one segment, and the silence that belongs after them."""

    lane: int
    words: Sequence[QueuedWord]
    pause_ms: int

    @property
    def text(self) -> str:
        """The words, as a voice reads them."""
        return " ".join(word.text for word in self.words)

    @property
    def last(self) -> QueuedWord:
        """The word that brings the newest of the source."""
        return self.words[-1]

    @property
    def translation(self) -> Translation:
        """The translation that its last word came with."""
        return self.last.taken.translation


class LaneSpeech:
    """The lane at `place`. `last` is what was last spoken in it, by this process or the one before it.

    `most_behind_ms`: how far it may fall behind. Half of that may wait to be heard, and what waits beyond it waits as
    words: the call may end, longer clauses sound better, and words can be given up.
    """

    def __init__(self, place: int, downlink: RingWriter, last: Spoken | None, most_behind_ms: int) -> None:
        self.last_loss_ns = 0
        self._is_giving_up = False
        self._most_waiting_ms = most_behind_ms / 2
        self.place = place
        self.queue = WordQueue()
        self.served_ns = 0
        self.is_spoken = False  # one of its clauses is being spoken now
        self._last = last
        self._downlink = downlink
        self._pace = Pace()
        self._paced_ns = 0

    def next_clause(self, voice: Voice, backlog_ms: float, now_ns: int) -> Clause | None:
        """Take the next clause off the queue; None if it can wait, with `backlog_ms` of speech yet to be heard."""
        words = self.queue.of_segment()
        waited_ms = (now_ns - words[0].taken.received_ns) / NS_PER_MS
        self._keep_pace(backlog_ms + waited_ms, now_ns)
        if backlog_ms > self._most_waiting_ms:
            return None
        texts = [word.text for word in words]
        waiting = Waiting(texts, self.queue.is_closed, waited_ms, backlog_ms, self._pace.merge)
        count = words_to_speak(waiting, voice)
        if not count:
            return None
        self.served_ns = now_ns
        spoken = self.queue.pop(count)
        return Clause(self.place, spoken, round(pause_after_ms(spoken[-1].text) * self._pace.pauses))

    def give_up_late_words(self, now_ns: int) -> tuple[int, float]:
        """Take the oldest segments off the queue that have waited for too long, none of them within a clause.

        Returns how many words will not be said, and for how long the first of them had waited, in ms.
        """
        lost, longest_ms = 0, 0.0
        while self.queue:
            words = self.queue.of_segment()
            waited_ms = (now_ns - words[0].taken.due_ns) / NS_PER_MS
            self._is_giving_up = gives_up(waited_ms, self._is_giving_up, self._most_waiting_ms)
            if not self._is_giving_up:
                return lost, longest_ms
            done(self.queue.pop(len(words)))
            lost, longest_ms = lost + len(words), max(longest_ms, waited_ms)
        self._is_giving_up = False
        return lost, longest_ms

    def push(self, clause: Clause, samples: Samples, tts_ms: float) -> Spoken:
        """Put the sound of a clause (16 kHz) into the downlink; `tts_ms` after its first word was received."""
        source, seq_num = clause.translation.source, clause.translation.seq_num
        before = self._last if self._last and self._last.seq_num == seq_num else None
        number = before.clause + 1 if before else 0
        frames = _frames(samples)
        stream, stamp = clause_stream(seq_num, number), call_stamp(source.call)
        self._downlink.push_many(frames, stream, source.end_ns, stamp, START | END)
        self._last = Spoken(
            lane=self.place,
            seq_num=seq_num,
            clause=number,
            text=clause.text,
            start_ns=before.end_ns if before else source.start_ns,
            end_ns=clause.last.end_ns,
            tts_first_ms=tts_ms,
            tts_ms=tts_ms,
            frames=len(frames) // FRAME_BYTES,
            revision=clause.translation.revision,
            words=clause.last.place,
        )
        return self._last

    def _keep_pace(self, behind_ms: float, now_ns: int) -> None:
        """`behind_ms`: from a word's coming until it is heard, whether it waits for the voice or for the listener."""
        self._pace = next_pace(self._pace, behind_ms, (now_ns - self._paced_ns) / NS_PER_MS)
        self._paced_ns = now_ns


def _frames(samples: Samples) -> bytes:
    """Whole frames; the last one is filled up with silence."""
    pcm = (np.clip(samples, -1, 1) * FULL_SCALE).astype("<i2").tobytes()
    return pcm.ljust(-(-len(pcm) // FRAME_BYTES) * FRAME_BYTES, b"\0")
