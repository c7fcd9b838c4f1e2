"""Histograms of durations in shared memory: `ops` counts in them, and goes on with them after a restart."""

from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate

from appliance.frames.layout import MEASURES_WORDS

# Upper bounds in seconds: fine where the targets are (100 ms to 3 s), coarse elsewhere.
BOUNDS_S = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
BUCKETS = len(BOUNDS_S) + 1  # the last has no bound
# What is measured. The position is the address: append yours.
DURATIONS = ("chain_latency", "asr_to_tts_gap", "asr", "mt", "tts")
_WORDS_EACH = BUCKETS + 1  # the last is the sum, in µs
_EVENTS = len(DURATIONS) * _WORDS_EACH
assert _EVENTS < MEASURES_WORDS

US_PER_S = 1_000_000


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often a duration was at most each of BOUNDS_S, and at all; and the sum of all durations."""

    up_to: tuple[int, ...]
    sum_s: float

    @property
    def count(self) -> int:
        """How many there were."""
        return self.up_to[-1]


class Measures:
    """The histograms, and the number of health events, in `words` of shared memory. One process writes."""

    def __init__(self, words: "memoryview[int] | list[int]") -> None:
        self._words = words

    def observe(self, duration: str, seconds: float) -> None:
        """Count one duration; `duration` is one of DURATIONS."""
        first = _first_word(duration)
        self._words[first + bisect_left(BOUNDS_S, seconds)] += 1
        self._words[first + BUCKETS] += max(0, round(seconds * US_PER_S))

    def histogram(self, duration: str) -> Histogram:
        """What has been counted so far."""
        first = _first_word(duration)
        buckets = self._words[first : first + BUCKETS]
        return Histogram(tuple(accumulate(buckets)), self._words[first + BUCKETS] / US_PER_S)

    def count_event(self) -> None:
        """One more health event."""
        self._words[_EVENTS] += 1

    @property
    def events(self) -> int:
        """Health events since the appliance was started."""
        return self._words[_EVENTS]


def _first_word(duration: str) -> int:
    return DURATIONS.index(duration) * _WORDS_EACH
