"""Taking the silence off both ends of a piece of speech, without a click; also while it is being made."""

import numpy as np
from numpy.typing import NDArray

from appliance.engines.protocols import Samples

WINDOW_MS = 10
SILENT_BELOW = 0.01  # of full scale, at the loudest sample of a window: -40 dB
LEAD_MS = 20  # kept before the first sound: a soft consonant is quieter than the threshold
TRAIL_MS = 30  # kept after the last: it dies away
FADE_MS = 8


def trimmed(samples: Samples, rate_hz: int) -> Samples:
    """`samples` from just before their first sound to just after their last, faded in and out; empty if silent."""
    window = rate_hz * WINDOW_MS // 1000
    loud = _loud_windows(samples, window)
    if not len(loud):
        return samples[:0]
    first = max(0, loud[0] * window - rate_hz * LEAD_MS // 1000)
    last = (loud[-1] + 1) * window + rate_hz * TRAIL_MS // 1000
    return _faded(samples[first:last], rate_hz * FADE_MS // 1000)


class Trimmer:
    """One piece of speech that comes bit by bit: all that it gives, joined, is what `trimmed` makes of the whole.

    The end, where it would be faded out, and silence that may be the end are kept back until more comes.
    """

    def __init__(self, rate_hz: int) -> None:
        self._window = rate_hz * WINDOW_MS // 1000
        self._lead, self._trail = rate_hz * LEAD_MS // 1000, rate_hz * TRAIL_MS // 1000
        self._fade = rate_hz * FADE_MS // 1000
        self._samples: Samples = np.zeros(0, np.float32)  # all that came
        self._judged = 0  # so many of them, in whole windows
        self._last = 0  # where it would end if nothing loud came any more; 0: nothing loud has come
        self._first = 0
        self._told = 0

    def push(self, samples: Samples) -> Samples:
        """The next bit in; what is certain of the result out, from none to all."""
        self._samples = np.concatenate((self._samples, samples))
        self._judge(len(self._samples) // self._window * self._window)
        end = min(self._last, len(self._samples)) - self._fade
        # Less is faded differently, should that have been all.
        return self._tell(end) if end - self._first >= self._fade else samples[:0]

    def finish(self) -> Samples:
        """There is no more: the rest of the result."""
        self._judge(len(self._samples))
        end = min(self._last, len(self._samples))
        if self._told:
            rest = self._tell(end)
            rest[len(rest) - self._fade :] *= _rise(self._fade)[::-1]
            return rest
        return _faded(self._samples[self._first : end], self._fade)

    def _judge(self, until: int) -> None:
        """Look which windows are loud."""
        loud = _loud_windows(self._samples[self._judged : until], self._window)
        if len(loud):
            if not self._last:
                self._first = max(0, self._judged + int(loud[0]) * self._window - self._lead)
            self._last = self._judged + (int(loud[-1]) + 1) * self._window + self._trail
        self._judged = until

    def _tell(self, end: int) -> Samples:
        first = self._told or self._first
        told = self._samples[first:end].copy()
        if not self._told:
            told[: self._fade] *= _rise(self._fade)
        self._told = max(first, end)
        return told


def silence(duration_ms: int, rate_hz: int) -> Samples:
    """That much of nothing."""
    return np.zeros(rate_hz * duration_ms // 1000, np.float32)


def _loud_windows(samples: Samples, window: int) -> NDArray[np.intp]:
    """Which windows have a sound in them; the last may be short."""
    padded = np.pad(np.abs(samples), (0, -len(samples) % window))
    return np.flatnonzero(padded.reshape(-1, window).max(axis=1, initial=0.0) > SILENT_BELOW)


def _rise(fade: int) -> Samples:
    return np.linspace(0, 1, fade, endpoint=False, dtype=np.float32)


def _faded(samples: Samples, fade: int) -> Samples:
    fade = min(fade, len(samples) // 2)
    gain = np.ones(len(samples), np.float32)
    gain[:fade] = _rise(fade)
    gain[len(samples) - fade :] = gain[:fade][::-1]
    return samples * gain
