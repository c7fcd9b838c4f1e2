"""One question to the translators: with all that they take, under the guard of numbers and terms, and counted."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from appliance import clock
from appliance.cloud_config import DeepLConfig
from appliance.engines.languages import pair_for
from appliance.engines.protocols import EngineError, Formality, TranslationRequest, Translator, translate
from appliance.engines.registry import EVERY_OTHER
from appliance.frames.messages import Segment
from appliance.frames.roster import Leg
from appliance.recovery.breaker import PATIENCE_MS, State, backoff_ms
from appliance.speech.glossary import Glossary
from appliance.speech.number_guard import Guarded, translate_guarded
from appliance.stages.engine_chain import EngineChain, is_worth_a_retry
from appliance.stages.mishaps import text_of
from appliance.stages.patience import Patience
from appliance.supervision.context import Context
from appliance.units import NS_PER_MS

TRIES = 2  # of a text that an engine cannot translate, although it answers
PATIENCE_S = PATIENCE_MS["mt"] / 1000


class NotNow(Exception):  # noqa: N818
    """A whole segment is to be translated again, from `due_ns` on: its engine may be back then."""

    def __init__(self, due_ns: int) -> None:
        self.due_ns = due_ns


@dataclass(slots=True)
class _Tries:
    """What has been tried for one segment: failures by engine, and who is not asked any more."""

    failures: Counter[str] = field(default_factory=Counter)
    given_up: set[str] = field(default_factory=set)


class Questions:
    """Asks the translators of `chain`; `glossaries` by number of the route.

    A whole segment is tried again, later or by the next engine; of a growing one, the next revision is the second try.
    """

    def __init__(self, context: Context, chain: EngineChain[Translator], glossaries: Mapping[str, Glossary]) -> None:
        self._context = context
        self._chain = chain
        self._glossaries = glossaries
        self._patience = {name: Patience[str](name) for name in chain.engines.by_name}
        self._tries: dict[tuple[int, int, int, str], _Tries] = {}  # of whole segments that wait

    def glossary(self, leg: Leg) -> Glossary:
        """The terms of the leg's route."""
        return self._glossaries.get(leg.route, Glossary())

    def ask(self, segment: Segment, text: str, leg: Leg, target: str, told: str, past: str) -> str | None:
        """`text`, as much of `segment` as is to be translated, in `target`; None if no engine can.

        `told` is the beginning of the translation as it has been told, `past` what was said before the segment.
        Raises NotNow.
        """
        request = self._request(segment, text, leg, target, told, past)
        names = self._who_knows(segment.language, target)
        key = (leg.place, leg.call, segment.seq_num, target)
        tries = self._tries.pop(key, _Tries())
        while name := self._chain.ask(names, tries.given_up):
            try:
                guarded = self._guarded(request, leg, name, self._limit_s(names, name, tries))
            except EngineError as error:
                if not segment.final:
                    self._fail_in_passing(name, error)
                    return None
                if due_ns := self._try_later(name, error, tries):
                    self._tries[key] = tries
                    raise NotNow(due_ns) from None
            else:
                self._chain.answered(name)
                if segment.final:
                    self._count(guarded)
                return guarded.text
        if segment.final and not tries.failures:
            self._complain(EngineError(f'no translator answers from "{segment.language}" to "{target}" now'))
        return None

    def _who_knows(self, source: str, target: str) -> Sequence[str]:
        engines = self._chain.engines
        return [name for name in engines.chains[EVERY_OTHER] if pair_for(engines.by_name[name].pairs, source, target)]

    def _limit_s(self, names: Sequence[str], name: str, tries: _Tries) -> float | None:
        """How long to wait for `name`: if nobody else can be asked, until the watchdog calls it stuck."""
        return PATIENCE_S if self._chain.first(names, {name, *tries.given_up}) else None

    def _fail_in_passing(self, name: str, error: EngineError) -> None:
        """A growing text was not translated. That the text is at fault is found out when it is whole."""
        if type(error) is not EngineError:
            self._chain.failed(name, error)

    def _try_later(self, name: str, error: EngineError, tries: _Tries) -> int:
        """When to ask the same engine again after its failure; 0: ask the next one now."""
        tries.failures[name] += 1
        count = tries.failures[name]
        self._context.vitals.add("engine_errors")
        if type(error) is not EngineError or count == 1:  # one bad text is one failure
            self._chain.failed(name, error)
        if (
            is_worth_a_retry(error)
            and self._chain.state(name) is State.CLOSED
            and (wait_ms := backoff_ms(count)) is not None
        ):
            return clock.now_ns() + wait_ms * NS_PER_MS
        if type(error) is not EngineError or count == TRIES:
            tries.given_up.add(name)
            self._context.log.error(str(error))
        return 0

    def _guarded(self, request: TranslationRequest, leg: Leg, name: str, limit_s: float | None) -> Guarded:
        translator = self._chain.engines.by_name[name]

        def translated(text: str) -> str:
            # Behind placeholders the text is another one: what was told of it is no beginning of its translation.
            prefix = request.target_prefix if text == request.text else ""

            def work() -> Iterator[str]:
                answer = translate(translator, replace(request, text=text, target_prefix=prefix))
                yield text_of(name, answer, text)

            with self._context.busy():
                return "".join(self._patience[name].pieces(work, limit_s))

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

    def _complain(self, error: EngineError) -> None:
        self._context.vitals.add("engine_errors")
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
