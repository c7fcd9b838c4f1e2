"""Translations spoken: clause by clause into the downlinks of their lanes, the lane that runs dry first comes first."""

from collections import deque
from collections.abc import Iterable, Iterator

from appliance.clock import now_ns
from appliance.engines.protocols import AUTO, EngineError, Synthesizer
from appliance.frames.messages import HealthEvent, JournalEntry, Spoken, Translation
from appliance.recovery import overload
from appliance.stages.engine_chain import EngineChain
from appliance.stages.lane_speech import Clause, LaneSpeech
from appliance.stages.revisions import is_news
from appliance.stages.synthesis import Synthesis
from appliance.stages.word_queue import Taken, done
from appliance.supervision.context import Context
from appliance.units import FRAME_MS, NS_PER_MS


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
        wake = context.memory.doorbell(context.name).ring
        self._synthesis = Synthesis(context, chain, self._complain, wake, lambda c: self._is_current(c.translation))
        self._before = {entry.lane: entry for entry in journaled if isinstance(entry, Spoken)}
        self._taken: deque[Taken] = deque()  # in the order they came
        self._newest: dict[int, Translation] = {}  # by lane
        self._lanes: dict[int, LaneSpeech] = {}

    def take(self, translation: Translation, position: int) -> None:
        """Put the words of a translation into its lane's queue; `position`: of its reader, after it."""
        taken = Taken(translation, position, now_ns())
        if self._is_wanted(translation) and self._has_voice(translation.target_language):
            self._lane(translation.lane).queue.put(taken, self._spoken_before(translation))
        self._taken.append(taken)
        self._retire()

    def follow(self) -> None:
        """Take in who is there, and whose voices are wanted."""
        self._synthesis.follow()

    def close(self) -> None:
        """No more calls."""
        self._synthesis.close()

    def next_clause(self) -> Clause | None:
        """The clause that is needed first; None while there is nothing to say, or all of it can wait."""
        for lane in self._lanes.values():
            self._drop_dead_words(lane)
            self._give_up_late_words(lane)
        for lane, backlog_ms in self._most_urgent_first():
            voice = self._synthesis.voice(lane.queue.of_segment()[0].taken.translation.target_language)
            clause = lane.next_clause(voice, backlog_ms, now_ns()) if voice else None
            if clause:
                return clause
        return None

    def begin(self, clause: Clause) -> None:
        """Have it spoken; other lanes go on meanwhile."""
        self._lanes[clause.lane].is_spoken = True
        self._synthesis.begin(clause)

    def finished(self) -> Iterator[Spoken]:
        """Put what is new of the clauses that were begun into their lanes; yields those that are over.

        Nothing where nobody could speak, or there was no sound.
        """
        for clause, samples, is_over in self._synthesis.news():
            lane, waited_ms = self._lanes[clause.lane], (now_ns() - clause.words[0].taken.received_ns) / NS_PER_MS
            if not is_over:
                lane.push(clause, samples, waited_ms)
                continue
            lane.is_spoken = False
            if spoken := lane.end(clause, samples, waited_ms):
                yield spoken
            done(clause.words)
            self._retire()

    def _most_urgent_first(self) -> Iterator[tuple[LaneSpeech, float]]:
        """The lanes that have something to say, with their backlog in ms; of equals, who was not served for longest."""
        waiting = [
            (self._backlog_frames(lane), lane.served_ns, lane)
            for lane in self._lanes.values()
            if lane.queue and not lane.is_spoken
        ]
        for frames, _, lane in sorted(waiting, key=lambda each: each[:2]):
            yield lane, frames * FRAME_MS

    def _backlog_frames(self, lane: LaneSpeech) -> int:
        return self._context.memory.ring_state("downlink", lane.place).depth

    def _has_voice(self, language: str) -> bool:
        try:
            self._synthesis.who_speaks(language)
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
            done(lane.queue.pop(len(words)))
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
