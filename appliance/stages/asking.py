"""One question to the translators: with all that they take, under the guard of numbers and terms, and counted."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import cast

from appliance import clock
from appliance.cloud_config import DeepLConfig
from appliance.engines.languages import pair_for
from appliance.engines.protocols import (
    EngineError,
    EngineUnavailable,
    Formality,
    TranslationRequest,
    Translator,
    translate,
)
from appliance.engines.registry import ELSEWHERE, EVERY_OTHER
from appliance.frames.messages import Segment
from appliance.frames.roster import Leg
from appliance.recovery.breaker import HEDGE_MS, PATIENCE_MS, State, backoff_ms
from appliance.speech.glossary import Glossary
from appliance.speech.number_guard import Guarded, translate_guarded
from appliance.stages.engine_chain import EngineChain, is_worth_a_retry
from appliance.stages.mishaps import text_of
from appliance.stages.race import Race
from appliance.supervision.context import Context
from appliance.units import NS_PER_MS

TRIES = 2  # of a text that an engine cannot translate, although it answers
HEDGE_S = HEDGE_MS / 1000
PATIENCE_S = PATIENCE_MS["mt"] / 1000


class NotNow(Exception):  # noqa: N818
    """A whole segment is to be translated again, from `due_ns` on: its engine may be back then."""

    def __init__(self, due_ns: int) -> None:
        self.due_ns = due_ns


@dataclass(slots=True)
class _Tries:
    """What has been tried for one segment: failures by engine, who is not asked now, and who not any more."""

    failures: Counter[str] = field(default_factory=Counter)
    passed: set[str] = field(default_factory=set)
    given_up: set[str] = field(default_factory=set)

    @property
    def without(self) -> set[str]:
        """Those who are not to be asked."""
        return self.passed | self.given_up

    def fail(self, name: str, error: EngineError) -> None:
        """Take note of a failure of engine `name`: who cannot answer now is passed over, not given up."""
        self.failures[name] += 1
        if is_worth_a_retry(error) and backoff_ms(self.failures[name]) is not None:
            self.passed.add(name)
        elif type(error) is not EngineError or self.failures[name] >= TRIES:
            self.given_up.add(name)

    def wait_ms(self, able: Iterable[str]) -> int | None:
        """How long to wait before all those who were passed over are asked again; None: nobody of `able` will be."""
        return min((wait for name in able if (wait := backoff_ms(self.failures[name])) is not None), default=None)


class Questions:
    """Asks the translators of `chain`; `glossaries` by number of the route.

    Whose engine cannot answer now is served by the next one, at once. Where nobody can, a whole segment is tried again
    later; of a growing one, the next revision is the second try.
    """

    def __init__(self, context: Context, chain: EngineChain[Translator], glossaries: Mapping[str, Glossary]) -> None:
        self._context = context
        self._chain = chain
        self._glossaries = glossaries
        self._race = Race[Guarded]()
        self._tries: dict[tuple[int, int, int, str], _Tries] = {}  # of whole segments that wait

    def glossary(self, leg: Leg) -> Glossary:
        """The terms of the leg's route."""
        return self._glossaries.get(leg.route, Glossary())

    def ask(self, segment: Segment, text: str, leg: Leg, target: str, told: str, past: str) -> str | None:
        """`text`, as much of `segment` as is to be translated, in `target`; None if no engine can.

        `told` is the beginning of the translation as it has been told, `past` what was said before the segment.
        Raises NotNow.
        """
        self._settle()
        request = self._request(segment, text, leg, target, told, past)
        names = self._who_knows(segment.language, target)
        key = (leg.place, leg.call, segment.seq_num, target)
        tries = self._tries.pop(key, _Tries())
        asked: list[str] = []
        while self._ask_one_more(request, leg, names, tries, asked):
            if (name := self._has_ended(names, tries, asked)) is None:
                continue
            asked.remove(name)
            try:
                guarded = self._race.answer(name)
            except EngineError as error:
                if asked:  # somebody else is at it
                    self._leave(name, error, tries)
                elif not segment.final:
                    self._fail_in_passing(name, error, tries)
                elif due_ns := self._try_later(name, error, tries, names):
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

    def _settle(self) -> None:
        """Take note of the answers that came after another engine's, and of those that are overdue."""
        for name, error in self._race.settled(PATIENCE_S):
            if error is None:
                self._chain.answered(name)
            else:
                self._complain(error)
                self._chain.failed(name, error, away=isinstance(error, EngineUnavailable))

    def _ask_one_more(
        self, request: TranslationRequest, leg: Leg, names: Sequence[str], tries: _Tries, asked: list[str]
    ) -> bool:
        """Ask the next engine too, if there is one; whether anybody has been asked."""
        if name := self._chain.ask(names, {*tries.without, *self._race.running}):
            alone = not asked and self._chain.first(names, {name, *tries.without, *self._race.running}) is None
            with self._context.busy(may_rest=name in ELSEWHERE):
                self._race.begin(name, partial(self._guarded, request, leg, name), here=alone)
            asked.append(name)
        return bool(asked)

    def _has_ended(self, names: Sequence[str], tries: _Tries, asked: Sequence[str]) -> str | None:
        """Who has answered or failed; None where another one should be asked as well.

        Whoever is only tried is not waited for. If nobody else can be asked, the watchdog says when they are stuck.
        """
        limit_s = None
        if self._chain.first(names, {*tries.without, *self._race.running}):
            limit_s = HEDGE_S if self._chain.state(asked[-1]) is State.CLOSED else 0.0
        with self._context.busy(may_rest=limit_s is not None or not ELSEWHERE.isdisjoint(asked)):
            return self._race.first(asked, limit_s)

    def _leave(self, name: str, error: EngineError, tries: _Tries) -> None:
        """It has failed while another engine is being asked."""
        tries.fail(name, error)
        self._complain(error)
        self._chain.failed(name, error)

    def _fail_in_passing(self, name: str, error: EngineError, tries: _Tries) -> None:
        """A growing text was not translated. That the text is at fault is found out when it is whole."""
        tries.given_up.update(self._chain.engines.by_name if type(error) is EngineError else (name,))
        if type(error) is not EngineError:
            self._context.vitals.add("engine_errors")
            self._chain.failed(name, error)

    def _try_later(self, name: str, error: EngineError, tries: _Tries, names: Sequence[str]) -> int:
        """When to ask again those who can be asked, after the failure of `name`; 0: somebody can be asked now, or ever.

        It is one failure of the engine however often it cannot translate one text.
        """
        tries.fail(name, error)
        self._context.vitals.add("engine_errors")
        if type(error) is not EngineError or tries.failures[name] == 1:
            self._chain.failed(name, error)
        wait_ms = None
        if not self._chain.first(names, {*tries.without, *self._race.running}):
            wait_ms = tries.wait_ms([each for each in tries.passed if self._chain.state(each) is State.CLOSED])
        if wait_ms is not None:
            tries.passed.clear()
            return clock.now_ns() + wait_ms * NS_PER_MS
        if name in tries.without:
            self._context.log.error(str(error))
        return 0

    def _guarded(self, request: TranslationRequest, leg: Leg, name: str) -> Guarded:
        translator = self._chain.engines.by_name[name]

        def translated(text: str) -> str:
            # Behind placeholders the text is another one: what was told of it is no beginning of its translation.
            prefix = request.target_prefix if text == request.text else ""
            return text_of(name, translate(translator, replace(request, text=text, target_prefix=prefix)), text)

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
