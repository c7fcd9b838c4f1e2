"""A clause's sound while its engine speaks: at 16 kHz, without silence around it or a seam between its pieces."""

import numpy as np

from appliance.engines.protocols import Samples, Speech
from appliance.media.resample import Resampler
from appliance.speech.trimming import Trimmer
from appliance.units import NS_PER_S, SAMPLE_RATE_HZ

MOST_MARGIN_MS = 400.0  # an engine that is slower than speech is not helped by more


def next_margin_ms(margin_ms: float, late_ms: float) -> float:
    """For how long the first sound of an engine's next clause is kept back, after one that came `late_ms` too late.

    What follows may come slower than it is heard, on a machine that has other work too: better a little later than with
    a hole after the first word.
    """
    return min(MOST_MARGIN_MS, max(late_ms, margin_ms / 2))


def may_begin(waited_ms: float, margin_ms: float, there_ms: float, took_ms: float) -> bool:
    """Whether a clause whose first sound came `waited_ms` ago can be heard from now on without a hole.

    margin_ms: see `next_margin_ms`; there_ms: how much sound of it there is; took_ms: what the newest piece of it took.
    The next piece takes about as long, and until it is there, what there is has to last.
    """
    return waited_ms >= MOST_MARGIN_MS or (waited_ms >= margin_ms and there_ms >= took_ms)


class ClauseSound:
    """What one engine says of one clause, from `began_ns` on.

    `dry_ns`: when somebody who listened from the first piece on would hear nothing more, if no more came.
    """

    def __init__(self, began_ns: int) -> None:
        self.began_ns = self.dry_ns = self.first_ns = began_ns
        self.samples = 0  # that have been given out
        self.took_ns = 0  # the newest piece, after the one before it
        self._newest_ns = began_ns
        self._came_ns = 0  # as much speech came, silence around it included
        self._rate_hz = SAMPLE_RATE_HZ
        self._resampler = Resampler(SAMPLE_RATE_HZ)
        self._trimmer = Trimmer(SAMPLE_RATE_HZ)

    @property
    def lead_ns(self) -> int:
        """How long a listener had to wait so as to hear it all without a break: until it was there, for one piece."""
        return self.dry_ns - self.began_ns - self._came_ns

    @property
    def late_ns(self) -> int:
        """How much later than its first piece it had to be heard for that."""
        return self.lead_ns - (self.first_ns - self.began_ns)

    def push(self, piece: Speech, now_ns: int) -> Samples:
        """The next piece, which came at `now_ns`. Returns what can be played of it."""
        self.first_ns = self.first_ns if self._came_ns else now_ns
        self.took_ns, self._newest_ns = now_ns - self._newest_ns, now_ns
        lasts_ns = len(piece.samples) * NS_PER_S // piece.rate_hz
        self._came_ns += lasts_ns
        self.dry_ns = max(self.dry_ns, now_ns) + lasts_ns
        before: Samples = np.zeros(0, np.float32)
        if piece.rate_hz != self._rate_hz:
            before = self._resampler.flush()
            self._rate_hz, self._resampler = piece.rate_hz, Resampler(piece.rate_hz)
        return self._given(self._trimmer.push(np.concatenate((before, self._resampler.push(piece.samples)))))

    def finish(self) -> Samples:
        """There is no more: the rest."""
        rest = self._trimmer.push(self._resampler.flush())
        return self._given(np.concatenate((rest, self._trimmer.finish())))

    def _given(self, samples: Samples) -> Samples:
        self.samples += len(samples)
        return samples
