"""Translations spoken: clause by clause into the downlinks of their lanes, the lane that runs dry first comes first."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from appliance.clock import now_ns
from appliance.engines.protocols import AUTO, EngineError, Samples, Speech, Synthesizer, covers
from appliance.engines.registry import for_language
from appliance.frames.messages import HealthEvent, JournalEntry, Spoken, Translation
from appliance.media.resample import resample
from appliance.recovery import overload
from appliance.recovery.breaker import PATIENCE_MS
from appliance.speech.catch_up import learned, synthesis_ms
from appliance.speech.phrasing import Voice
from appliance.speech.trimming import silence, trimmed
from appliance.stages.engine_chain import EngineChain
from appliance.stages.lane_speech import Clause, LaneSpeech
from appliance.stages.patience import Patience
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
        chain: EngineChain[Synthesizer],
        position: int,
        journaled: Iterable[JournalEntry] = (),
    ) -> None:
        self.done_until = position
        self._context = context
        self._chain = chain
        self._patience = {name: Patience[Speech](name) for name in chain.engines.by_name}
        self._before = {entry.lane: entry for entry in journaled if isinstance(entry, Spoken)}
        self._taken: deque[Taken] = deque()  # in the order they came
        self._newest: dict[int, Translation] = {}  # by lane
        self._lanes: dict[int, LaneSpeech] = {}
        self._voices: dict[tuple[str, str], Voice] = {}  # by engine and language

    def take(self, translation: Translation, position: int) -> None:
        """Put the words of a translation into its lane's queue; `position`: of its reader, after it."""
        taken = Taken(translation, position, now_ns())
        if self._is_wanted(translation) and self._has_voice(translation.target_language):
            self._lane(translation.lane).queue.put(taken, self._spoken_before(translation))
        self._taken.append(taken)
        self._retire()

    def next_clause(self) -> Clause | None:
        """The clause that is needed first; None while there is nothing to say, or all of it can wait."""
        for lane in self._lanes.values():
            self._drop_dead_words(lane)
            self._give_up_late_words(lane)
        for lane, backlog_ms in self._most_urgent_first():
            if lane.queue:
                language = lane.queue.of_segment()[0].taken.translation.target_language
                clause = lane.next_clause(self._voice(language), backlog_ms, now_ns())
                if clause:
                    return clause
        return None

    def speak(self, clause: Clause) -> Spoken | None:
        """Speak it. Returns what has become of it; None if no engine could speak it, or there was nothing to say."""
        received_ns = clause.words[0].taken.received_ns
        samples = self._sound(clause.text, clause.translation.target_language)
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
        """The sound of `text` (16 kHz), by the first engine that can speak it; nothing if nobody can."""
        names = self._who_speaks(language)
        failed: set[str] = set()
        while name := self._chain.ask(names, failed):
            try:
                samples = self._spoken_by(name, text, language, in_time=bool(self._chain.first(names, {name, *failed})))
            except EngineError as error:
                self._chain.failed(name, error)
                self._complain(error)
                failed.add(name)
            else:
                self._chain.answered(name)
                return samples
        return silence(0, SAMPLE_RATE_HZ)

    def _spoken_by(self, name: str, text: str, language: str, in_time: bool) -> Samples:
        """The sound of `text` without silence around it. `in_time`: who takes too long has failed."""
        voice, synthesizer = self._voices[name, language], self._chain.engines.by_name[name]
        # Some engines give a clause in one piece: what they take for it as a rule is no silence to worry about.
        limit_s = (PATIENCE_MS["tts"] + synthesis_ms(len(text), voice.cost)) / 1000 if in_time else None
        began_ns = now_ns()
        with self._context.busy():
            spoken = self._patience[name].pieces(lambda: synthesizer.synthesize(text, language), limit_s)
            pieces = [resample(piece.samples, piece.rate_hz) for piece in spoken]
        samples = trimmed(np.concatenate(pieces), SAMPLE_RATE_HZ) if pieces else silence(0, SAMPLE_RATE_HZ)
        took_ms = (now_ns() - began_ns) / NS_PER_MS
        cost = learned(voice.cost, took_ms, 1000 * len(samples) / SAMPLE_RATE_HZ, len(text))
        self._voices[name, language] = replace(voice, cost=cost)
        return samples

    def _who_speaks(self, language: str) -> Sequence[str]:
        """The engines for `language`, in their order. Raises EngineError where there is none."""
        engines = self._chain.engines
        names = for_language(engines.chains, language, "synthesizers")
        able = [name for name in names if covers(engines.by_name[name].languages, language)]
        if not able:
            raise EngineError(f'{" or ".join(names)} does not speak "{language}"; change engines.synthesizers')
        for name in able:
            self._voices.setdefault((name, language), Voice(language, engines.by_name[name].clause_sizes))
        return able

    def _voice(self, language: str) -> Voice:
        """The voice that would speak now."""
        names = self._who_speaks(language)
        return self._voices[self._chain.first(names) or names[0], language]

    def _has_voice(self, language: str) -> bool:
        try:
            self._who_speaks(language)
        except EngineError as error:
            self._complain(error)
            return False
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

    def _give_up_late_words(self, lane: LaneSpeech) -> None:
        """Keep the lag of a lane within bounds, and tell it once for each episode."""
        if not lane.queue:
            return
        room = self._room_of(lane.queue.of_segment()[0].taken.translation)
        now = now_ns()
        lost, waited_ms = lane.give_up_late_words(now)
        if not lost:
            return
        self._context.vitals.add("overload_words", lost)
        if overload.is_news(now, lane.last_loss_ns):
            action = f"nobody speaks fast enough: {lost} words, late by {waited_ms / 1000:.0f} s, are not said"
            self._context.journal(HealthEvent("lane", "OVERLOADED", action, now, session_id=room, lag_ms=waited_ms))
        lane.last_loss_ns = now
        self._retire()

    def _room_of(self, translation: Translation) -> str:
        place = translation.source.leg
        return next((leg.room for leg in self._context.roster().legs if leg.place == place), "")

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
            self._lanes[place] = LaneSpeech(
                place, downlink, self._before.get(place), self._context.config.engines.most_behind_ms
            )
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
