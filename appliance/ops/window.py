"""The last minute in five figures."""

from collections import deque
from dataclasses import dataclass
from statistics import median

import msgspec

from appliance.units import NS_PER_S

WINDOW_NS = 60 * NS_PER_S
MS_PER_S = 1000


class Report(msgspec.Struct, frozen=True):
    """How the appliance did during the last minute. None: nothing of the kind happened.

    Latencies are medians. `frames_per_sec`: 20 ms frames carried both ways. `error_rate_pct`: of all that engines were
    asked (a recognition, a translation, a clause), what failed.
    """

    chain_latency_ms: float | None
    asr_to_tts_gap_ms: float | None
    active_sessions: int
    frames_per_sec: float
    error_rate_pct: float

    def as_text(self) -> str:
        """One `name: value` a line; "-" for None."""
        values = msgspec.structs.asdict(self)
        return "".join(f"{name}: {'-' if value is None else value}\n" for name, value in values.items())


@dataclass(frozen=True, slots=True)
class Totals:
    """What has been counted since the appliance was started."""

    frames: int = 0
    results: int = 0  # of engines
    errors: int = 0


class Window:
    """Keeps what it is told for WINDOW_NS. Pure: every method is given the time."""

    def __init__(self) -> None:
        self._durations: dict[str, deque[tuple[int, float]]] = {}
        self._totals: deque[tuple[int, Totals]] = deque()

    def observe(self, duration: str, seconds: float, now_ns: int) -> None:
        """One duration."""
        known = self._durations.setdefault(duration, deque())
        known.append((now_ns, seconds))
        _forget_old(known, now_ns)  # also where nobody ever asks for a report

    def count(self, totals: Totals, now_ns: int) -> None:
        """How much there is now of everything that only grows."""
        self._totals.append((now_ns, totals))
        while len(self._totals) > 1 and now_ns - self._totals[1][0] >= WINDOW_NS:
            self._totals.popleft()

    def report(self, active_sessions: int, now_ns: int) -> Report:
        """The figures of the window that ends now."""
        frames_per_s, error_share = self._rates()
        return Report(
            chain_latency_ms=self._median_ms("chain_latency", now_ns),
            asr_to_tts_gap_ms=self._median_ms("asr_to_tts_gap", now_ns),
            active_sessions=active_sessions,
            frames_per_sec=round(frames_per_s, 1),
            error_rate_pct=round(error_share * 100, 2),
        )

    def _median_ms(self, duration: str, now_ns: int) -> float | None:
        known = self._durations.get(duration, deque())
        _forget_old(known, now_ns)
        return round(median(seconds for _, seconds in known) * MS_PER_S, 1) if known else None

    def _rates(self) -> tuple[float, float]:
        """Frames a second, and errors as a share of all that was asked."""
        if len(self._totals) < 2:
            return 0.0, 0.0
        (from_ns, before), (until_ns, now) = self._totals[0], self._totals[-1]
        errors = now.errors - before.errors
        asked = now.results - before.results + errors
        return (now.frames - before.frames) * NS_PER_S / (until_ns - from_ns), errors / asked if asked else 0.0


def _forget_old(known: deque[tuple[int, float]], now_ns: int) -> None:
    while known and now_ns - known[0][0] > WINDOW_NS:
        known.popleft()
