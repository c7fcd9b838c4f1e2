"""One question to the translator: with everything that it takes, under the guard of numbers and terms, and counted."""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from appliance.cloud_config import DeepLConfig
from appliance.engines.protocols import EngineError, EngineRefused, Formality, TranslationRequest, Translator, translate
from appliance.frames.messages import Segment
from appliance.frames.roster import Leg
from appliance.speech.glossary import Glossary
from appliance.speech.number_guard import Guarded, translate_guarded
from appliance.supervision.context import Context

TRIES = 2  # for a whole segment; of a growing one, the next revision is the second try


class Questions:
    """Asks `translator`; `glossaries` by number of the route."""

    def __init__(self, context: Context, translator: Translator, glossaries: Mapping[str, Glossary]) -> None:
        self._context = context
        self._translator = translator
        self._glossaries = glossaries

    def glossary(self, leg: Leg) -> Glossary:
        """The terms of the leg's route."""
        return self._glossaries.get(leg.route, Glossary())

    def ask(self, segment: Segment, text: str, leg: Leg, target: str, told: str, past: str) -> str | None:
        """`text`, as much of `segment` as is to be translated, in `target`; None if the engine cannot.

        `told` is the beginning of the translation as it has been told, `past` what was said before the segment.
        """
        for tries_left in reversed(range(TRIES if segment.final else 1)):
            try:
                guarded = self._guarded(self._request(segment, text, leg, target, told, past), leg)
            except EngineError as error:
                if segment.final:
                    self._complain(error, tries_left)
                if isinstance(error, EngineRefused):
                    break
            else:
                if segment.final:
                    self._count(guarded)
                return guarded.text
        return None

    def _guarded(self, request: TranslationRequest, leg: Leg) -> Guarded:
        def translated(text: str) -> str:
            # Behind placeholders the text is another one: what was told of it is no beginning of its translation.
            prefix = request.target_prefix if text == request.text else ""
            with self._context.busy():
                return translate(self._translator, replace(request, text=text, target_prefix=prefix))

        return translate_guarded(request.text, request.source_lang, request.target_lang, translated, self.glossary(leg))

    def _request(self, segment: Segment, text: str, leg: Leg, target: str, told: str, past: str) -> TranslationRequest:
        chosen = self._context.config.cloud.deepl
        return TranslationRequest(
            text=text,
            stream_id=f"{leg.room}-leg{leg.place}",
            seq_num=segment.seq_num,
            partial=not segment.final,
            source_lang=segment.language,
            target_lang=target,
            context=past,
            formality=cast(Formality, chosen.formality),
            target_prefix=told,
            glossary_id=_glossary_id(chosen, segment.language, target),
        )

    def _complain(self, error: EngineError, tries_left: int) -> None:
        self._context.vitals.add("engine_errors")
        if not tries_left or isinstance(error, EngineRefused):
            self._context.log.error(str(error))

    def _count(self, guarded: Guarded) -> None:
        vitals = self._context.vitals
        vitals.add("facts_repaired", guarded.repaired)
        vitals.add("facts_retried", guarded.retried)
        vitals.add("facts_lost", len(guarded.lost))
        if guarded.lost:
            self._context.log.warning(f"a translation has lost {', '.join(guarded.lost)}")


def _glossary_id(chosen: DeepLConfig, source: str, target: str) -> str:
    """The engine's own glossary for this direction, by whole tags or by their first parts; "" where there is none."""
    ids = {direction.lower().replace(" ", ""): name for direction, name in chosen.glossaries.items()}
    pairs = (f"{source}>{target}", f"{source.partition('-')[0]}>{target.partition('-')[0]}")
    return next((ids[pair] for pair in pairs if pair in ids), "")
