"""The engines of one stage in their order, with a breaker each: who is asked now, and who is told when that changes."""

from collections.abc import Collection, Sequence
from typing import Generic, TypeVar

from appliance import clock
from appliance.engines.protocols import (
    EngineError,
    EngineRefused,
    EngineUnavailable,
    StreamingRecognizer,
    Synthesizer,
    Translator,
)
from appliance.engines.registry import Engines
from appliance.frames.messages import HealthEvent
from appliance.recovery import breaker as policy
from appliance.recovery.breaker import Breaker, Failure, State
from appliance.supervision.context import Context
from appliance.supervision.vitals import breaker_word
from appliance.units import NS_PER_S

Engine = TypeVar("Engine", StreamingRecognizer, Translator, Synthesizer)


class EngineChain(Generic[Engine]):
    """The engines of `stage` ("asr", "mt" or "tts"). Those that did not warm up are tried again like others."""

    def __init__(self, context: Context, stage: str, engines: Engines[Engine]) -> None:
        self.engines: Engines[Engine] = engines
        self._context = context
        self._stage = stage
        self._names = context.config.engines.named(stage)
        self._breakers = {name: Breaker() for name in engines.by_name}
        for name, error in engines.cold.items():
            self.failed(name, error, away=True)
        self._show()

    def ask(self, names: Sequence[str], without: Collection[str] = ()) -> str | None:
        """Who of `names` is to be asked now, in their order; None: nobody can be. Tell `answered` or `failed` then."""
        name = policy.choose(names, self._breakers, clock.now_ns(), without)
        if name is not None:
            self._breakers[name] = policy.after_asking(self._breakers[name], clock.now_ns())
            self._show()
        return name

    def first(self, names: Sequence[str], without: Collection[str] = ()) -> str | None:
        """Who would be asked now."""
        return policy.choose(names, self._breakers, clock.now_ns(), without)

    def state(self, name: str) -> State:
        """Whether it is asked now."""
        return policy.state(self._breakers[name], clock.now_ns())

    def answered(self, name: str) -> None:
        """An engine has done what it was asked."""
        if self.state(name) is not State.CLOSED:
            self._tell(name, "breaker closed", "answers again")
        self._breakers[name] = policy.after_answer(self._breakers[name])
        self._show()

    def failed(self, name: str, error: EngineError, away: bool = False) -> None:
        """An engine could not do what it was asked; `away`: nor would it the next time."""
        failure = Failure.REFUSED if isinstance(error, EngineRefused) else Failure.AWAY if away else Failure.ONCE
        now_ns, before = clock.now_ns(), self._breakers[name]
        self._breakers[name] = after = policy.after_failure(before, now_ns, failure)
        if after.open_until_ns > max(now_ns, before.open_until_ns):
            pause_s = (after.open_until_ns - now_ns) / NS_PER_S
            self._tell(name, "breaker open", f"not asked for {pause_s:.0f} s: {error}")
        self._show()

    def _tell(self, name: str, status: str, action: str) -> None:
        self._context.journal(HealthEvent(f"{self._stage}/{name}", status, action, clock.now_ns()))

    def _show(self) -> None:
        states = [self.state(name) if name in self._breakers else State.CLOSED for name in self._names]
        self._context.vitals.set("breakers", breaker_word(states))


def is_worth_a_retry(error: EngineError) -> bool:
    """Whether the same engine may have an answer a moment later."""
    return isinstance(error, EngineUnavailable)
