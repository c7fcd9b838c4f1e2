"""Translations spoken: clause by clause into the downlinks of their lanes, the lane that runs dry first comes first."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from appliance.clock import now_ns
from appliance.engines.protocols import AUTO, EngineError, Samples, Synthesizer
from appliance.engines.registry import for_language
from appliance.frames.messages import JournalEntry, Spoken, Translation
from appliance.media.resample import resample
from appliance.speech.catch_up import learned
from appliance.speech.phrasing import Voice
from appliance.speech.trimming import silence, trimmed
from appliance.stages.lane_speech import Clause, LaneSpeech
from appliance.stages.revisions import is_news
from appliance.stages.word_queue import Taken
from appliance.supervision.context import Context
from appliance.units import FRAME_MS, NS_PER_MS, SAMPLE_RATE_HZ


class Speaker:
    """Speaks what translations add, each word once, those of one lane in their order.

    `done_until` is the position of the reader of translations before the oldest one that is not finished. `journaled`
    is what was spoken before a restart: translations that come again are spoken from there on.
    """

    def __init__(
        self,
        context: Context,
        synthesizers: dict[str, Synthesizer],
        position: int,
        journaled: Iterable[JournalEntry] = (),
    ) -> None:
        self.done_until = position
        self._context = context
        self._synthesizers = synthesizers
        self._before = {entry.lane: entry for entry in journaled if isinstance(entry, Spoken)}
        self._taken: deque[Taken] = deque()  # in the order they came
        self._newest: dict[int, Translation] = {}  # by lane
        self._lanes: dict[int, LaneSpeech] = {}
        self._voices: dict[str, Voice] = {}  # by language

    def take(self, translation: Translation, position: int) -> None:
        """Put the words of a translation into its lane's queue; `position`: of its reader, after it."""
        taken = Taken(translation, position, now_ns())
        if self._is_wanted(translation) and self._has_voice(translation.target_language):
            self._lane(translation.lane).queue.put(taken, self._spoken_before(translation))
        self._taken.append(taken)
        self._retire()

    def next_clause(self) -> Clause | None:
        """The clause that is needed first; None while there is nothing to say, or all of it can wait."""
        for lane, backlog_ms in self._most_urgent_first():
            self._drop_dead_words(lane)
            if lane.queue:
                language = lane.queue.of_segment()[0].taken.translation.target_language
                clause = lane.next_clause(self._voices[language], backlog_ms, now_ns())
                if clause:
                    return clause
        return None

    def speak(self, clause: Clause) -> Spoken | None:
        """Speak it. Returns what has become of it; None if no engine could speak it, or there was nothing to say."""
        received_ns = clause.words[0].taken.received_ns
        try:
            samples = self._sound(clause.text, clause.translation.target_language)
        except EngineError as error:
            self._complain(error)
            samples = silence(0, SAMPLE_RATE_HZ)
        spoken = None
        if len(samples):
            samples = np.concatenate((samples, silence(clause.pause_ms, SAMPLE_RATE_HZ)))
            spoken = self._lanes[clause.lane].push(clause, samples, (now_ns() - received_ns) / NS_PER_MS)
        self._retire()
        return spoken

    def _most_urgent_first(self) -> Iterator[tuple[LaneSpeech, float]]:
        """The lanes that have something to say, with their backlog in ms; of equals, who was not served for longest."""
        waiting = [(self._backlog_frames(lane), lane.served_ns, lane) for lane in self._lanes.values() if lane.queue]
        for frames, _, lane in sorted(waiting, key=lambda each: each[:2]):
            yield lane, frames * FRAME_MS

    def _backlog_frames(self, lane: LaneSpeech) -> int:
        return self._context.memory.ring_state("downlink", lane.place).depth

    def _sound(self, text: str, language: str) -> Samples:
        """The sound of `text` (16 kHz), without silence around it."""
        synthesizer = for_language(self._synthesizers, language, "synthesizers")
        began_ns = now_ns()
        with self._context.busy():
            pieces = [resample(piece.samples, piece.rate_hz) for piece in synthesizer.synthesize(text, language)]
        samples = trimmed(np.concatenate(pieces), SAMPLE_RATE_HZ) if pieces else silence(0, SAMPLE_RATE_HZ)
        voice, took_ms = self._voices[language], (now_ns() - began_ns) / NS_PER_MS
        cost = learned(voice.cost, took_ms, 1000 * len(samples) / SAMPLE_RATE_HZ, len(text))
        self._voices[language] = replace(voice, cost=cost)
        return samples

    def _has_voice(self, language: str) -> bool:
        try:
            sizes = for_language(self._synthesizers, language, "synthesizers").clause_sizes
        except EngineError as error:
            self._complain(error)
            return False
        self._voices.setdefault(language, Voice(language, sizes))
        return True

    def _spoken_before(self, translation: Translation) -> int:
        """How many words of `translation` were spoken before a restart."""
        last = self._before.get(translation.lane)
        if last is None or (translation.seq_num, translation.revision) > (last.seq_num, last.revision):
            return 0
        is_last = (translation.seq_num, translation.revision) == (last.seq_num, last.revision)
        return last.words if is_last else len(translation.text.split())

    def _drop_dead_words(self, lane: LaneSpeech) -> None:
        """Forget what was said in a call that is over."""
        while lane.queue:
            words = lane.queue.of_segment()
            if self._is_current(words[0].taken.translation):
                return
            lane.queue.pop(len(words))
            self._context.vitals.add("dropped_messages")
        self._retire()

    def _retire(self) -> None:
        """Forget what is finished, up to the first that is not."""
        while self._taken and not self._taken[0].waiting:
            self.done_until = self._taken.popleft().position

    def _complain(self, error: EngineError) -> None:
        self._context.vitals.add("engine_errors")
        self._context.log.error(str(error))

    def _lane(self, place: int) -> LaneSpeech:
        if place not in self._lanes:
            downlink = self._context.writer("downlink", place)
            self._lanes[place] = LaneSpeech(place, downlink, self._before.get(place))
        return self._lanes[place]

    def _is_wanted(self, translation: Translation) -> bool:
        if self._is_current(translation) and is_news(translation, self._newest.get(translation.lane)):
            self._newest[translation.lane] = translation
            return True
        self._context.vitals.add("dropped_messages")
        return False

    def _is_current(self, translation: Translation) -> bool:
        """Whether the call it was said in is still up, and the lane still goes from its leg into this language."""
        roster, source = self._context.roster(), translation.source
        return any((leg.place, leg.call) == (source.leg, source.call) for leg in roster.legs) and any(
            (lane.place, lane.leg) == (translation.lane, source.leg)
            and lane.target_language in (translation.target_language, AUTO)
            for lane in roster.lanes
        )
