"""Speech every 10 ms: pitch, level, voicing, spectrum. What prosody is counted from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.media.resample import resample
from appliance.voices.activity import bridged, runs
from appliance.voices.arrays import Floats

RATE_HZ = 16_000
HOP = 160
HOP_S = HOP / RATE_HZ
WINDOW = 640  # 40 ms: two periods and more of the lowest voice
LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0
REFERENCE_HZ = 100.0  # 0 semitones
OCTAVE_EDGES_HZ = np.array([125, 250, 500, 1000, 2000, 4000, 8000])

_FFT = 2048
_FINER = 2  # lags to a sample: the peaks of a high voice are so narrow that they fall between samples
_VOICED = 0.55  # of 1: how periodic a window must be
_LOW_PITCH_COST = 0.02  # per octave, against the period's multiples, which fit as well
_BRIDGE_HOPS = 20
_BLOCK = 1000  # windows that are looked at together: 10 s
_LEAST_DB = -60.0
_LEAST_POWER = 1e-12


@dataclass(frozen=True, slots=True)
class Tracks:
    """Arrays of one value for each hop of 10 ms. Pitch is NaN where nothing is voiced."""

    pitch_st: Floats  # semitones above 100 Hz
    periodicity: Floats  # 0 … 1
    level_db: Floats
    speech: NDArray[np.bool_]  # somebody speaks, gaps of up to 200 ms included
    octaves_db: Floats  # (hops, 6): level between the OCTAVE_EDGES_HZ
    centroid_hz: Floats
    rolloff_hz: Floats  # below which 85 % of the power lies
    flux: Floats  # how different the spectrum is from the hop before, 0 … 2

    @property
    def voiced(self) -> NDArray[np.bool_]:
        """Where there is a pitch."""
        return ~np.isnan(self.pitch_st)


def track(samples: Floats, rate_hz: int) -> Tracks:
    """Follow `samples`, mono, of any rate and length. Empty arrays for less than 40 ms."""
    windows = _windows(resample(np.asarray(samples, np.float32), rate_hz, RATE_HZ))
    blocks = [_look_at(windows[first : first + _BLOCK]) for first in range(0, max(1, len(windows)), _BLOCK)]
    level_db, periodicity, pitch_hz, octaves_db, centroid_hz, rolloff_hz, flux = map(
        np.concatenate, zip(*blocks, strict=True)
    )
    loud = level_db > max(_LEAST_DB, float(np.percentile(level_db, 95)) - 30) if len(level_db) else level_db > 0
    voiced = loud & (periodicity > _VOICED)
    pitch_st = _smooth(np.where(voiced, 12 * np.log2(pitch_hz / REFERENCE_HZ), np.nan))
    speech = bridged(loud, _BRIDGE_HOPS)
    return Tracks(pitch_st, periodicity, level_db, speech, octaves_db, centroid_hz, rolloff_hz, flux)


def _windows(samples: Floats) -> Floats:
    """(hops, 640) views into `samples` at 16 kHz."""
    if len(samples) < WINDOW:
        return np.zeros((0, WINDOW), np.float32)
    return np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]


def _look_at(windows: Floats) -> tuple[Floats, ...]:
    """All that can be said of single windows, some seconds of them: a spectrum takes fifty times their memory."""
    power = np.abs(np.fft.rfft(windows * np.hanning(WINDOW), _FFT, axis=1)) ** 2
    level_db = 10 * np.log10(np.maximum(np.mean(windows.astype(np.float64) ** 2, axis=1), _LEAST_POWER))
    return level_db, *_pitch(power), _octaves_db(power), _centroid_hz(power), _rolloff_hz(power), _flux(power)


def _pitch(power: Floats) -> tuple[Floats, Floats]:
    """Periodicity and its frequency by autocorrelation, that of the window divided out (Boersma 1993)."""
    lag_hz = RATE_HZ * _FINER
    shortest, longest = int(lag_hz / HIGHEST_HZ), int(lag_hz / LOWEST_HZ)
    own = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(WINDOW), _FFT)) ** 2, _FFT * _FINER)[: longest + 2]
    correlation = np.fft.irfft(power, _FFT * _FINER, axis=1)[:, : longest + 2]
    correlation = correlation / np.maximum(correlation[:, :1], _LEAST_POWER) / (own / own[0])
    lags = np.arange(shortest, longest + 1)
    cost = _LOW_PITCH_COST * np.log2(lags / shortest)
    best = np.argmax(correlation[:, shortest : longest + 1] - cost, axis=1) + shortest
    rows = np.arange(len(best))
    before, here, after = (correlation[rows, best + step] for step in (-1, 0, 1))
    bend = before - 2 * here + after
    # A parabola through the three highest points: the true period lies between two lags.
    shift = np.where(np.abs(bend) > 1e-9, 0.5 * (before - after) / np.where(bend == 0, 1, bend), 0.0)
    return np.clip(here, 0, 1), lag_hz / (best + np.clip(shift, -0.5, 0.5))


def _smooth(pitch_st: Floats) -> Floats:
    """The median of five hops, within each voiced run: single octave errors go."""
    smooth = np.array(pitch_st, np.float32)
    for first, end in runs(~np.isnan(pitch_st)):
        run = np.pad(pitch_st[first:end], 2, mode="edge")
        smooth[first:end] = np.median(np.lib.stride_tricks.sliding_window_view(run, 5), axis=1)
    return smooth


def _octaves_db(power: Floats) -> Floats:
    edges = OCTAVE_EDGES_HZ * _FFT // RATE_HZ
    bands = np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1)
    return np.asarray(10 * np.log10(np.maximum(bands, _LEAST_POWER)), np.float32)


def _centroid_hz(power: Floats) -> Floats:
    frequencies = np.arange(power.shape[1]) * RATE_HZ / _FFT
    return np.asarray(power @ frequencies / np.maximum(power.sum(axis=1), _LEAST_POWER), np.float32)


def _rolloff_hz(power: Floats) -> Floats:
    share = np.cumsum(power, axis=1) / np.maximum(power.sum(axis=1, keepdims=True), _LEAST_POWER)
    return np.asarray(np.argmax(share >= 0.85, axis=1) * RATE_HZ / _FFT, np.float32)


def _flux(power: Floats) -> Floats:
    shape = power / np.maximum(power.sum(axis=1, keepdims=True), _LEAST_POWER)
    return np.asarray(np.abs(np.diff(shape, axis=0, prepend=shape[:1])).sum(axis=1), np.float32)
