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
from appliance.speech.trimming import silence
from appliance.stages.word_queue import QueuedWord, WordQueue, done
from appliance.units import FRAME_BYTES, NS_PER_MS, SAMPLE_RATE_HZ

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


@dataclass(slots=True)
class _Open:
    """A clause on its way into the downlink, where it has not got its END yet."""

    frames: int = 0
    first_ms: float = 0.0  # how long its first word had waited when the first of them was put there
    rest: bytes = b""  # of its sound, less than a frame


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
        self._open: _Open | None = None
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

    def push(self, clause: Clause, samples: Samples, waited_ms: float) -> None:
        """Put the next sound of a clause (16 kHz) into the downlink; `waited_ms`: its first word, until now."""
        self._push(clause, _pcm(samples), waited_ms, ends=False)

    def end(self, clause: Clause, samples: Samples, waited_ms: float) -> Spoken | None:
        """The last of it, and the silence after it. None where it has no sound at all."""
        if self._open is None and not len(samples):
            return None
        pcm = _pcm(np.concatenate((samples, silence(clause.pause_ms, SAMPLE_RATE_HZ))))
        spoken = self._push(clause, pcm, waited_ms, ends=True)
        number, before = self._number(clause), self._before(clause)
        self._open = None
        self._last = Spoken(
            lane=self.place,
            seq_num=clause.translation.seq_num,
            clause=number,
            text=clause.text,
            start_ns=before.end_ns if before else clause.translation.source.start_ns,
            end_ns=clause.last.end_ns,
            tts_first_ms=spoken.first_ms,
            tts_ms=waited_ms,
            frames=spoken.frames,
            revision=clause.translation.revision,
            words=clause.last.place,
        )
        return self._last

    def _push(self, clause: Clause, pcm: bytes, waited_ms: float, ends: bool) -> _Open:
        """Whole frames; the last one of a clause is filled up with silence."""
        begun = self._open = self._open or _Open()
        pcm = begun.rest + pcm
        count = max(1, -(-len(pcm) // FRAME_BYTES)) if ends else len(pcm) // FRAME_BYTES
        frames, begun.rest = pcm[: count * FRAME_BYTES], pcm[count * FRAME_BYTES :]
        if count:
            source = clause.translation.source
            stream = clause_stream(clause.translation.seq_num, self._number(clause))
            flags = (0 if begun.frames else START) | (END if ends else 0)
            frames = frames.ljust(count * FRAME_BYTES, b"\0")
            self._downlink.push_many(frames, stream, source.end_ns, call_stamp(source.call), flags)
            begun.first_ms = begun.first_ms if begun.frames else waited_ms
            begun.frames += count
        return begun

    def _before(self, clause: Clause) -> Spoken | None:
        """The clause before it, of the same segment."""
        return self._last if self._last and self._last.seq_num == clause.translation.seq_num else None

    def _number(self, clause: Clause) -> int:
        before = self._before(clause)
        return before.clause + 1 if before else 0

    def _keep_pace(self, behind_ms: float, now_ns: int) -> None:
        """`behind_ms`: from a word's coming until it is heard, whether it waits for the voice or for the listener."""
        self._pace = next_pace(self._pace, behind_ms, (now_ns - self._paced_ns) / NS_PER_MS)
        self._paced_ns = now_ns


def _pcm(samples: Samples) -> bytes:
    return (np.clip(samples, -1, 1) * FULL_SCALE).astype("<i2").tobytes()
