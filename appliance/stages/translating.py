"""A segment translated for everyone who needs another language."""

from collections.abc import Iterator
from time import perf_counter

from appliance.engines.protocols import EngineError, Translator
from appliance.frames.messages import Segment, Translation
from appliance.frames.roster import Lane
from appliance.supervision.context import Context


class Interpretation:
    """Translations of segments, for the lanes of the roster; each segment once."""

    def __init__(self, context: Context, translator: Translator) -> None:
        self._context = context
        self._translator = translator
        self._newest: dict[int, Segment] = {}  # by leg

    def translations(self, segment: Segment) -> Iterator[Translation]:
        """`segment` in the language of each lane of its leg; nothing if its call is over or it has been here before."""
        if self._is_repeated(segment):
            return
        lanes = [lane for lane in self._context.roster().lanes if lane.leg == segment.leg]
        if not self._is_current(segment):
            self._context.vitals.add("dropped_messages")
            return
        for lane in lanes:
            translation = self._translated(segment, lane)
            if translation is not None:
                yield translation

    def _is_current(self, segment: Segment) -> bool:
        """Whether its call is still up; a new one may have taken its place."""
        return any((leg.place, leg.call) == (segment.leg, segment.call) for leg in self._context.roster().legs)

    def _is_repeated(self, segment: Segment) -> bool:
        """Whether asr gives out this speech a second time, as it may when it died after writing."""
        newest = self._newest.setdefault(segment.leg, segment)
        self._newest[segment.leg] = segment
        return newest is not segment and newest.call == segment.call and segment.end_ns <= newest.end_ns

    def _translated(self, segment: Segment, lane: Lane) -> Translation | None:
        began_s = perf_counter()
        try:
            with self._context.busy():
                text = self._translator.translate(segment.text, segment.language, lane.target_language)
        except EngineError as error:
            self._context.vitals.add("engine_errors")
            self._context.log.error(str(error))
            return None
        return Translation(
            lane=lane.place,
            seq_num=segment.seq_num,
            revision=segment.revision,
            final=segment.final,
            source=segment,
            target_language=lane.target_language,
            text=text,
            mt_ms=1000 * (perf_counter() - began_s),
        )
