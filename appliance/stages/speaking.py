"""Translations spoken: clause by clause into the downlinks of their lanes, the most urgent clause first."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from appliance.clock import now_ns
from appliance.engines.protocols import EngineError, Samples, Synthesizer
from appliance.engines.registry import for_language
from appliance.frames.messages import Spoken, Translation
from appliance.frames.ring import END, START, RingWriter
from appliance.frames.roster import call_stamp
from appliance.media.resample import resample
from appliance.speech.clauses import Clause, split_clauses
from appliance.speech.trimming import silence, trimmed
from appliance.supervision.context import Context
from appliance.units import FRAME_BYTES, FRAME_NS, NS_PER_MS, SAMPLE_RATE_HZ

FULL_SCALE = 32_767


class Utterance:
    """What goes into a downlink for one translation: START on its first frame, END on its last, whole frames between.

    The last frame is held back until more speech follows, or `finish` says that none does.
    """

    def __init__(self, downlink: RingWriter, translation: Translation) -> None:
        self.frames = 0
        self._downlink = downlink
        self._stream = translation.seq_num
        self._capture_ns = translation.source.end_ns
        self._call = call_stamp(translation.source.call)
        self._held = b""

    def push(self, samples: Samples) -> None:
        """Speech (16 kHz) that follows what was pushed before."""
        self._held += (np.clip(samples, -1, 1) * FULL_SCALE).astype("<i2").tobytes()
        whole = (len(self._held) - 1) // FRAME_BYTES * FRAME_BYTES
        if whole > 0:
            self._write(self._held[:whole], 0)
            self._held = self._held[whole:]

    def finish(self) -> None:
        """No more follows. A last frame that is not full is filled up with silence."""
        if self._held:
            self._write(self._held.ljust(FRAME_BYTES, b"\0"), END)
            self._held = b""

    def _write(self, payloads: bytes, flags: int) -> None:
        if self.frames == 0:
            flags |= START
        self._downlink.push_many(payloads, self._stream, self._capture_ns, self._call, flags)
        self.frames += len(payloads) // FRAME_BYTES


@dataclass(slots=True)
class _Job:
    """A translation on its way to be spoken; done when no clauses are left."""

    translation: Translation
    position: int  # of the reader after it
    utterance: Utterance
    clauses: deque[Clause]
    received_ns: int
    first_ns: int = 0  # when the first of it went into the downlink

    @property
    def due_ns(self) -> int:
        """When its listener has heard all that there is of it so far."""
        return self.first_ns + self.utterance.frames * FRAME_NS if self.first_ns else self.received_ns


class Speaker:
    """Speaks translations, each once, those of one lane in their order.

    Lanes take turns clause by clause: a short answer does not wait until a long speech on another lane is finished.
    `done_until` is the position of the reader of translations before the oldest one that is not finished.
    """

    def __init__(self, context: Context, synthesizers: dict[str, Synthesizer], position: int) -> None:
        self.done_until = position
        self._context = context
        self._synthesizers = synthesizers
        self._downlinks: dict[int, RingWriter] = {}
        self._newest: dict[int, Translation] = {}  # by lane
        self._jobs: deque[_Job] = deque()  # in the order they came

    @property
    def idle(self) -> bool:
        """Whether everything has been spoken."""
        return not self._jobs

    def take(self, translation: Translation, position: int) -> None:
        """Put a translation into its lane's queue; `position`: of its reader, after it."""
        clauses = self._clauses(translation) if self._is_wanted(translation) else []
        utterance = Utterance(self._downlink(translation.lane), translation)
        self._jobs.append(_Job(translation, position, utterance, deque(clauses), now_ns()))
        self._retire()

    def speak_clause(self) -> Spoken | None:
        """Speak the clause that is needed first. Returns what has become of its translation if it was the last one."""
        job = self._most_urgent()
        if not self._is_current(job.translation):
            self._context.vitals.add("dropped_messages")
            job.clauses.clear()
        else:
            self._speak(job)
        if job.clauses:
            return None
        job.utterance.finish()
        self._retire()
        return _account(job) if job.utterance.frames else None

    def _clauses(self, translation: Translation) -> list[Clause]:
        try:
            synthesizer = for_language(self._synthesizers, translation.target_language, "synthesizers")
        except EngineError as error:
            self._complain(error)
            return []
        return split_clauses(translation.text, translation.target_language, synthesizer.clause_sizes)

    def _most_urgent(self) -> _Job:
        first_of_lane: dict[int, _Job] = {}
        for job in self._jobs:
            if job.clauses:
                first_of_lane.setdefault(job.translation.lane, job)
        return min(first_of_lane.values(), key=lambda job: job.due_ns)

    def _speak(self, job: _Job) -> None:
        """Speak the next clause of a job; a clause that no engine can speak ends it."""
        clause = job.clauses.popleft()
        try:
            samples = self._spoken(clause.text, job.translation.target_language)
        except EngineError as error:
            self._complain(error)
            job.clauses.clear()
            return
        pause_ms = clause.pause_ms if job.clauses else 0
        job.utterance.push(np.concatenate((samples, silence(pause_ms, SAMPLE_RATE_HZ))))
        job.first_ns = job.first_ns or now_ns()

    def _spoken(self, text: str, language: str) -> Samples:
        """The sound of `text` (16 kHz), without silence around it."""
        synthesizer = for_language(self._synthesizers, language, "synthesizers")
        with self._context.busy():
            pieces = [resample(piece.samples, piece.rate_hz) for piece in synthesizer.synthesize(text, language)]
        return trimmed(np.concatenate(pieces), SAMPLE_RATE_HZ) if pieces else np.zeros(0, np.float32)

    def _retire(self) -> None:
        """Forget what is finished, up to the first that is not."""
        while self._jobs and not self._jobs[0].clauses:
            self.done_until = self._jobs.popleft().position

    def _complain(self, error: EngineError) -> None:
        self._context.vitals.add("engine_errors")
        self._context.log.error(str(error))

    def _downlink(self, lane: int) -> RingWriter:
        if lane not in self._downlinks:
            self._downlinks[lane] = self._context.writer("downlink", lane)
        return self._downlinks[lane]

    def _is_wanted(self, translation: Translation) -> bool:
        if self._is_current(translation) and not self._is_repeated(translation):
            return True
        self._context.vitals.add("dropped_messages")
        return False

    def _is_current(self, translation: Translation) -> bool:
        """Whether the call it was said in is still up, and the lane still goes from its leg into this language."""
        roster, source = self._context.roster(), translation.source
        return any((leg.place, leg.call) == (source.leg, source.call) for leg in roster.legs) and any(
            (lane.place, lane.leg, lane.target_language) == (translation.lane, source.leg, translation.target_language)
            for lane in roster.lanes
        )

    def _is_repeated(self, translation: Translation) -> bool:
        """Whether mt gives this out a second time, as it may when it died after writing."""
        newest = self._newest.setdefault(translation.lane, translation)
        self._newest[translation.lane] = translation
        same_call = newest.source.call == translation.source.call and newest.source.leg == translation.source.leg
        return newest is not translation and same_call and translation.source.end_ns <= newest.source.end_ns


def _account(job: _Job) -> Spoken:
    return Spoken(
        lane=job.translation.lane,
        seq_num=job.translation.seq_num,
        tts_first_ms=(job.first_ns - job.received_ns) / NS_PER_MS,
        tts_ms=(now_ns() - job.received_ns) / NS_PER_MS,
        frames=job.utterance.frames,
    )
