"""Mel spectrograms and bands as librosa makes them: power, 25 ms every 10 ms, 40 bands up to 8 kHz, or other bands.

Slaney's mel scale (Auditory Toolbox, 1998): linear to 1 kHz, then logarithmic; each band's triangle has area 1.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from appliance.voices.arrays import Floats

RATE_HZ = 16_000
WINDOW = 400
HOP = 160
BANDS = 40
_LINEAR_HZ = 200 / 3  # a mel, up to 1 kHz
_KNEE_HZ = 1000.0
_LOG_STEP = np.log(6.4) / 27


def mel_spectrogram(samples: Floats) -> Floats:
    """(frames, 40) of `samples` at 16 kHz; frame i is centred on sample 160 · i, beyond the ends there is silence."""
    padded = np.pad(samples, WINDOW // 2).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    window = np.hanning(WINDOW + 1)[:-1].astype(np.float32)  # periodic: the next one begins where this one ends
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
    return np.asarray(power @ triangles(RATE_HZ, WINDOW, BANDS, 0, RATE_HZ / 2).T, np.float32)


@cache
def triangles(rate_hz: int, window: int, bands: int, low_hz: float, high_hz: float) -> Floats:
    """(bands, window // 2 + 1): how much of each frequency of a window of samples goes into each band."""
    edges_hz = _hz(np.linspace(_mel(low_hz), _mel(high_hz), bands + 2, dtype=np.float64))
    frequencies_hz = np.fft.rfftfreq(window, 1 / rate_hz)
    low, middle, high = (edges_hz[first : first + bands, None] for first in range(3))
    rising = (frequencies_hz - low) / (middle - low)
    falling = (high - frequencies_hz) / (high - middle)
    return np.asarray(np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low), np.float32)


def _mel(hz: float) -> float:
    if hz < _KNEE_HZ:
        return hz / _LINEAR_HZ
    return float(_KNEE_HZ / _LINEAR_HZ + np.log(hz / _KNEE_HZ) / _LOG_STEP)


def _hz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    above = mels - _KNEE_HZ / _LINEAR_HZ
    return np.asarray(np.where(above < 0, mels * _LINEAR_HZ, _KNEE_HZ * np.exp(above * _LOG_STEP)), np.float64)
