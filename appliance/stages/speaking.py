"""A translation spoken: clause by clause into its lane's downlink."""

from collections.abc import Iterator
from time import perf_counter

import numpy as np

from appliance.engines.protocols import EngineError, Samples, Synthesizer
from appliance.engines.registry import for_language
from appliance.frames.messages import Spoken, Translation
from appliance.frames.ring import END, START, RingWriter
from appliance.media.resample import resample
from appliance.speech.clauses import Clause, split_clauses
from appliance.speech.trimming import silence, trimmed
from appliance.supervision.context import Context
from appliance.units import FRAME_BYTES, SAMPLE_RATE_HZ

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
        self._downlink.push_many(payloads, stream=self._stream, capture_ns=self._capture_ns, flags=flags)
        self.frames += len(payloads) // FRAME_BYTES


class Speaker:
    """Speaks translations into the downlinks of their lanes, each once."""

    def __init__(self, context: Context, synthesizers: dict[str, Synthesizer]) -> None:
        self._context = context
        self._synthesizers = synthesizers
        self._downlinks: dict[int, RingWriter] = {}
        self._newest: dict[int, Translation] = {}  # by lane

    def speak(self, translation: Translation) -> Spoken | None:
        """Speak a translation; None when its call is over, it has been spoken, or no engine can."""
        if not self._is_current(translation) or self._is_repeated(translation):
            self._context.vitals.add("dropped_messages")
            return None
        began_s = perf_counter()
        first_s = 0.0
        utterance = Utterance(self._downlink(translation.lane), translation)
        try:
            for samples in self._clauses(translation):
                utterance.push(samples)
                first_s = first_s or perf_counter() - began_s
        except EngineError as error:
            self._context.vitals.add("engine_errors")
            self._context.log.error(str(error))
        utterance.finish()
        if utterance.frames == 0:
            return None
        return Spoken(
            lane=translation.lane,
            seq_num=translation.seq_num,
            tts_first_ms=1000 * first_s,
            tts_ms=1000 * (perf_counter() - began_s),
            frames=utterance.frames,
        )

    def _clauses(self, translation: Translation) -> Iterator[Samples]:
        """The sound of each clause (16 kHz) as soon as it is made, with the pause that belongs after it."""
        language = translation.target_language
        synthesizer = for_language(self._synthesizers, language, "synthesizers")
        clauses = split_clauses(translation.text, language, synthesizer.clause_sizes)
        for clause in clauses:
            pause_ms = clause.pause_ms if clause is not clauses[-1] else 0
            yield np.concatenate((self._spoken(synthesizer, clause, language), silence(pause_ms, SAMPLE_RATE_HZ)))

    def _spoken(self, synthesizer: Synthesizer, clause: Clause, language: str) -> Samples:
        with self._context.busy():
            pieces = [resample(piece.samples, piece.rate_hz) for piece in synthesizer.synthesize(clause.text, language)]
        return trimmed(np.concatenate(pieces), SAMPLE_RATE_HZ) if pieces else np.zeros(0, np.float32)

    def _downlink(self, lane: int) -> RingWriter:
        if lane not in self._downlinks:
            self._downlinks[lane] = self._context.writer("downlink", lane)
        return self._downlinks[lane]

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
