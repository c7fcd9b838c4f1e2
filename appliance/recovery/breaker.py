"""Circuit breakers of engines: who is not asked for a while, when it is tried again, and who is asked instead."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, IntEnum

from appliance.units import NS_PER_S

WINDOW_NS = 30 * NS_PER_S
LIMIT = 4  # failures in the window; more than 3, as for one request
FIRST_PAUSE_NS = 2 * NS_PER_S
LONGEST_PAUSE_NS = 120 * NS_PER_S
# A probe whose outcome nobody learns (its caller hung up, its process died) counts as lost after so long.
PROBE_NS = 15 * NS_PER_S

HEDGE_MS = 600  # after so long without a translation, the next engine is asked as well: the first answer counts
PATIENCE_MS = {"asr": 900, "mt": 1200, "tts": 500}  # without an answer, where another engine could give one
BACKOFF_MS = (300, 600, 1200)  # before each further try of one request with the same engine


class State(IntEnum):
    """As operators see it; the numbers are those of the metric."""

    CLOSED = 0  # it is asked
    HALF_OPEN = 1  # one request is tried
    OPEN = 2  # it is not asked


class Failure(Enum):
    """How an engine failed."""

    ONCE = "a request"  # the next one may succeed
    AWAY = "away"  # it was given all the time it may have: the next request would fail as well
    REFUSED = "refused"  # it said itself that asking again is no use


@dataclass(frozen=True, slots=True)
class Breaker:
    """One engine's; times are CLOCK_MONOTONIC ns. The empty one is closed."""

    failures_ns: tuple[int, ...] = ()  # of the last WINDOW_NS
    open_until_ns: int = 0  # 0: closed
    opened: int = 0  # times in a row, without an answer in between
    probe_until_ns: int = 0  # a probe is under way; 0: none


def state(breaker: Breaker, now_ns: int) -> State:
    """What it is now."""
    if not breaker.open_until_ns:
        return State.CLOSED
    return State.OPEN if now_ns < breaker.open_until_ns else State.HALF_OPEN


def may_ask(breaker: Breaker, now_ns: int) -> bool:
    """Whether the engine can be asked: always while closed, one request at a time while half-open, never while open."""
    now = state(breaker, now_ns)
    return now is State.CLOSED or (now is State.HALF_OPEN and now_ns >= breaker.probe_until_ns)


def after_asking(breaker: Breaker, now_ns: int) -> Breaker:
    """The engine is being asked: if that is a probe, nobody else asks until it has ended."""
    if state(breaker, now_ns) is State.CLOSED:
        return breaker
    return replace(breaker, probe_until_ns=now_ns + PROBE_NS)


def after_answer(breaker: Breaker) -> Breaker:
    """The engine has answered. A probe that did closes the breaker; failures in between are remembered."""
    return replace(breaker, open_until_ns=0, opened=0, probe_until_ns=0) if breaker.open_until_ns else breaker


def after_failure(breaker: Breaker, now_ns: int, failure: Failure = Failure.ONCE) -> Breaker:
    """The engine has failed."""
    now = state(breaker, now_ns)
    if now is State.OPEN:  # a request from before it opened
        return breaker
    recent = tuple(failed_ns for failed_ns in breaker.failures_ns if now_ns - failed_ns < WINDOW_NS)
    if now is State.CLOSED and failure is Failure.ONCE and len(recent) + 1 < LIMIT:
        return replace(breaker, failures_ns=(*recent, now_ns))
    return Breaker((), now_ns + _pause_ns(breaker.opened, failure), breaker.opened + 1)


def choose(
    chain: Sequence[str], breakers: Mapping[str, Breaker], now_ns: int, without: Collection[str] = ()
) -> str | None:
    """The first engine of `chain` that can be asked now, but for those in `without`; None: there is none.

    An engine that `breakers` does not know is healthy.
    """
    able = (name for name in chain if name not in without and may_ask(breakers.get(name, Breaker()), now_ns))
    return next(able, None)


def backoff_ms(failures: int) -> int | None:
    """How long a request waits before the same engine is asked again, after `failures`; None: take the next engine."""
    return BACKOFF_MS[failures - 1] if failures <= len(BACKOFF_MS) else None


def _pause_ns(opened: int, failure: Failure) -> int:
    """Twice as long each time, for whoever is away is seldom back at once."""
    return LONGEST_PAUSE_NS if failure is Failure.REFUSED else min(LONGEST_PAUSE_NS, FIRST_PAUSE_NS << min(opened, 16))
