"""Segments translated while they grow, for everyone who needs another language: what is told is never taken back."""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter

import msgspec

from appliance.engines.registry import EVERY_OTHER
from appliance.frames.messages import Segment, Translation
from appliance.frames.roster import Lane, Leg
from appliance.speech.open_end import closed_part
from appliance.speech.stable_prefix import StableTranslation, words_to_hold_back
from appliance.stages.asking import NotNow, Questions
from appliance.stages.own_languages import OwnLanguages, same_language
from appliance.stages.revisions import is_news
from appliance.supervision.context import Context
from appliance.units import FRAME_MS

CONTEXT_SEGMENTS = 3  # so much of what a leg said before helps a translator with pronouns and words of two meanings


@dataclass(slots=True)
class _Growing:
    """The translation of the newest segment in the lane at `place`, as far as it has been told."""

    place: int
    segment: Segment
    target: str
    stable: StableTranslation = field(default_factory=StableTranslation)
    asked: str = ""  # the text that was last translated …
    answer: str = ""  # … and its translation
    waits: bool = False  # `segment` is to be translated again: its engine did not answer
    is_recalled: bool = False  # from before a restart: nothing has been asked since

    def goes_on_in(self, segment: Segment) -> bool:
        """Whether `segment` is of the same call, so that their order means something."""
        return (self.segment.leg, self.segment.call) == (segment.leg, segment.call)


class Interpretation:
    """Translations of segments, for the lanes of the roster. `told` is what was translated before a restart."""

    def __init__(self, context: Context, questions: Questions, told: Iterable[Translation] = ()) -> None:
        self._context = context
        self._questions = questions
        self._languages = OwnLanguages([each for each in context.config.engines.synthesizers if each != EVERY_OTHER])
        self._growing: dict[int, _Growing] = {}  # by lane
        self._past: dict[tuple[int, int], deque[str]] = {}  # by leg and call
        for translation in told:
            self._recall(translation)

    def translations(self, segment: Segment) -> Iterator[Translation]:
        """What `segment` adds to each lane of its leg; nothing if its call is over or it has been here before.

        Raises NotNow, after all lanes, when one of them needs it again: it is news to that lane alone.
        """
        roster = self._context.roster()
        leg = next((leg for leg in roster.legs if (leg.place, leg.call) == (segment.leg, segment.call)), None)
        if leg is None:  # a new call may have taken its place
            self._context.vitals.add("dropped_messages")
            return
        self._languages.hear(segment, leg)
        later: NotNow | None = None
        for lane in roster.lanes:
            if lane.leg == segment.leg:
                try:
                    yield from self._for_lane(segment, leg, lane)
                except NotNow as not_now:
                    later = not_now
        if later:
            raise later
        if segment.final:
            self._remember(segment)

    def _for_lane(self, segment: Segment, leg: Leg, lane: Lane) -> Iterator[Translation]:
        growing = self._growing.get(lane.place)
        if growing is None or not growing.goes_on_in(segment):
            growing = None
        elif not growing.waits and not is_news(segment, growing.segment):
            return
        elif segment.seq_num != growing.segment.seq_num:
            if growing.waits or not growing.segment.final:  # its recognizer died
                yield from self._translated(_given_up(growing.segment), leg, lane, growing)
            growing = None
        if growing is None:
            growing = self._growing[lane.place] = _Growing(
                lane.place, segment, self._languages.target(lane, leg, segment)
            )
        elif growing.is_recalled and not segment.final and not same_language(segment.language, growing.target):
            self._look_back(growing, leg)
        yield from self._translated(segment, leg, lane, growing)

    def _look_back(self, growing: _Growing, leg: Leg) -> None:
        """Ask once more what was asked before a restart. Two answers have to agree before a word is told: with this
        one and the next, its listeners need not wait for a third.
        """
        growing.is_recalled = False
        with suppress(NotNow):
            self._added(growing.segment, leg, growing)

    def _translated(self, segment: Segment, leg: Leg, lane: Lane, growing: _Growing) -> Iterator[Translation]:
        """One translation, or none where a revision adds nothing yet."""
        began_s = perf_counter()
        growing.segment, growing.waits = segment, True
        text = self._added(segment, leg, growing)
        growing.waits = False
        if text or segment.final:
            yield Translation(
                lane=lane.place,
                seq_num=segment.seq_num,
                revision=segment.revision,
                final=segment.final,
                source=segment,
                target_language=growing.target,
                text=text,
                mt_ms=1000 * (perf_counter() - began_s),
            )

    def _added(self, segment: Segment, leg: Leg, growing: _Growing) -> str:
        """What can be told now that has not been told before."""
        target = growing.target
        if same_language(segment.language, target):
            return growing.stable.finish(segment.text)
        text = segment.text
        if not segment.final:
            text = closed_part(
                f"{text} {segment.ahead}".rstrip(), segment.language, target, self._questions.glossary(leg)
            )
            if text in ("", growing.asked):  # the same question twice is no agreement
                return ""
        if text != growing.asked:
            told, past = growing.stable.prefix, " ".join(self._past.get((segment.leg, segment.call), ()))
            answer = self._questions.ask(segment, text, leg, target, told, past)
            if answer is not None:
                growing.asked, growing.answer = text, answer
            elif not segment.final:
                return ""
        if not segment.final:
            return growing.stable.push(growing.answer, words_to_hold_back(self._backlog_ms(growing.place)))
        text = growing.stable.finish(growing.answer)
        self._context.vitals.add("mended", bool(growing.stable.mended))
        return text

    def _backlog_ms(self, lane: int) -> float:
        """The speech in a lane that is still to be heard."""
        return self._context.memory.ring_state("downlink", lane).depth * FRAME_MS

    def _remember(self, segment: Segment) -> None:
        """Keep what was said, as the context of what comes next."""
        for key in [key for key in self._past if key[0] == segment.leg and key[1] != segment.call]:
            del self._past[key]
        self._past.setdefault((segment.leg, segment.call), deque(maxlen=CONTEXT_SEGMENTS)).append(segment.text)

    def _recall(self, translation: Translation) -> None:
        growing = self._growing.get(translation.lane)
        if growing is None or growing.segment.seq_num != translation.seq_num:
            growing = self._growing[translation.lane] = _Growing(
                translation.lane, translation.source, translation.target_language
            )
        growing.segment = translation.source
        growing.is_recalled = not translation.final
        growing.stable.committed += translation.text.split()


def _given_up(segment: Segment) -> Segment:
    """A segment of which no more will come, ended as it is."""
    return msgspec.structs.replace(segment, revision=segment.revision + 1, final=True)
