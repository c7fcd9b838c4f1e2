"""Taking the silence off both ends of a piece of speech, without a click."""

import numpy as np

from appliance.engines.protocols import Samples

WINDOW_MS = 10
SILENT_BELOW = 0.01  # of full scale, at the loudest sample of a window: -40 dB
LEAD_MS = 20  # kept before the first sound: a soft consonant is quieter than the threshold
TRAIL_MS = 30  # kept after the last: it dies away
FADE_MS = 8


def trimmed(samples: Samples, rate_hz: int) -> Samples:
    """`samples` from just before their first sound to just after their last, faded in and out; empty if silent."""
    window = rate_hz * WINDOW_MS // 1000
    padded = np.pad(np.abs(samples), (0, -len(samples) % window))
    loud = np.flatnonzero(padded.reshape(-1, window).max(axis=1) > SILENT_BELOW)
    if not len(loud):
        return samples[:0]
    first = max(0, loud[0] * window - rate_hz * LEAD_MS // 1000)
    last = (loud[-1] + 1) * window + rate_hz * TRAIL_MS // 1000
    return _faded(samples[first:last], rate_hz * FADE_MS // 1000)


def silence(duration_ms: int, rate_hz: int) -> Samples:
    """That much of nothing."""
    return np.zeros(rate_hz * duration_ms // 1000, np.float32)


def _faded(samples: Samples, fade: int) -> Samples:
    fade = min(fade, len(samples) // 2)
    gain = np.ones(len(samples), np.float32)
    gain[:fade] = np.linspace(0, 1, fade, endpoint=False, dtype=np.float32)
    gain[len(samples) - fade :] = gain[:fade][::-1]
    return samples * gain
