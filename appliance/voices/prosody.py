"""The manner of speaking as 64 statistics (statistics.py): pitch, level, rate, pauses, spectral tilt.

This is the style vector where no trained encoder is installed. Every number is (value - typical) / spread, so that
Euclidean distances count all of them alike.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from appliance.voices.activity import runs
from appliance.voices.arrays import Floats
from appliance.voices.profile import STYLE_SLOT, Embedding
from appliance.voices.statistics import STATISTICS
from appliance.voices.tracks import HOP_S, OCTAVE_EDGES_HZ, Tracks, track

MODEL = "prosody-64-v1"
MOST = 4.0  # spreads from the typical: further out, it is a mistake of measurement

_LEAST_SPEECH_S = 0.3
_PAUSE_S = 0.15  # shorter silences are closures of consonants
_END_S = 0.3  # what the last of the melody is
_FLOOR_DB = -40.0
_SLOPE_POINTS = 200
_DIP_DB = 2.0  # between two syllables (de Jong & Wempe 2009)


def style(samples: Floats, rate_hz: int) -> Embedding | None:
    """The style vector of `samples`, mono, any rate; None for less than 0.3 s of speech."""
    tracks = track(samples, rate_hz)
    if tracks.speech.sum() * HOP_S < _LEAST_SPEECH_S:
        return None
    values = statistics(tracks)
    scaled = [(values[one.name] - one.typical) / one.spread for one in STATISTICS]
    return Embedding.of(MODEL, np.clip(scaled, -MOST, MOST), STYLE_SLOT)


def statistics(tracks: Tracks) -> dict[str, float]:
    """All 64 by name, in their units. What cannot be measured (the pitch of a whisper) is typical."""
    measured = {**_pitch(tracks), **_level(tracks), **_rate(tracks), **_pauses(tracks), **_spectrum(tracks)}
    return {
        one.name: measured[one.name] if math.isfinite(measured.get(one.name, math.nan)) else one.typical
        for one in STATISTICS
    }


def _spread_out(name: str, values: Floats) -> dict[str, float]:
    """Mean, deviation and five percentiles."""
    if not len(values):
        return {}
    percentiles = {f"{name}_p{percent}": float(np.percentile(values, percent)) for percent in (5, 25, 50, 75, 95)}
    return {f"{name}_mean": float(values.mean()), f"{name}_std": float(values.std()), **percentiles}


def _movement(name: str, values: Floats, together: NDArray[np.bool_]) -> dict[str, float]:
    """How fast values change: by second, where a hop and the one before belong together."""
    change = (np.diff(values) / HOP_S)[together[1:] & together[:-1]]
    if not len(change):
        return {}
    rising, falling = change[change > 0], change[change < 0]
    return {
        f"{name}_speed": float(np.abs(change).mean()),
        f"{name}_speed_std": float(change.std()),
        f"{name}_rise": float(rising.mean()) if len(rising) else 0.0,
        f"{name}_fall": float(falling.mean()) if len(falling) else 0.0,
        f"{name}_rising_share": len(rising) / len(change),
    }


def _slope(values: Floats, times_s: Floats) -> float:
    """The median slope between two points, by second (Theil 1950, Sen 1968): some mistaken pitches do not bend it."""
    if len(values) < 3:
        return math.nan
    few = np.linspace(0, len(values) - 1, min(len(values), _SLOPE_POINTS)).astype(int)
    one, other = np.triu_indices(len(few), 1)
    rises = values[few[other]] - values[few[one]]
    return float(np.median(rises / (times_s[few[other]] - times_s[few[one]])))


def _pitch(tracks: Tracks) -> Mapping[str, float]:
    voiced = tracks.voiced
    pitch, times_s = tracks.pitch_st[voiced], np.flatnonzero(voiced) * HOP_S
    if not len(pitch):
        return {"voiced_share": 0.0}
    last = times_s > times_s[-1] - _END_S
    return {
        **_spread_out("pitch", pitch),
        **_movement("pitch", tracks.pitch_st, voiced),
        "pitch_range": float(np.percentile(pitch, 95) - np.percentile(pitch, 5)),
        "pitch_slope": _slope(pitch, times_s),
        "pitch_end_slope": _slope(pitch[last], times_s[last]),
        "voiced_share": float((voiced & tracks.speech).sum() / max(1, tracks.speech.sum())),
    }


def _level(tracks: Tracks) -> Mapping[str, float]:
    speech = tracks.speech
    # How loud the recording is says nothing about the speaker, and how silent its silence is neither.
    above_db = np.maximum(tracks.level_db - np.percentile(tracks.level_db[speech], 95), _FLOOR_DB)
    level, times_s = above_db[speech], np.flatnonzero(speech) * HOP_S
    return {
        **{name: value for name, value in _spread_out("level", level).items() if name != "level_p95"},
        **_movement("level", above_db, speech),
        "level_slope": _slope(level, times_s),
        "level_above_mean_share": float((level > level.mean()).mean()),
        "modulation_slow": _modulation(level, 1, 3),
        "modulation_syllabic": _modulation(level, 3, 8),
        "modulation_fast": _modulation(level, 8, 16),
    }


def _modulation(level: Floats, low_hz: float, high_hz: float) -> float:
    """The share of the level's ups and downs that are so fast."""
    power = np.abs(np.fft.rfft(level - level.mean())) ** 2
    frequencies = np.fft.rfftfreq(len(level), HOP_S)
    return float(power[(frequencies >= low_hz) & (frequencies < high_hz)].sum() / max(power[1:].sum(), 1e-9))


def _rate(tracks: Tracks) -> Mapping[str, float]:
    nuclei_s = syllables_s(tracks)
    intervals = np.diff(nuclei_s)
    within = intervals[intervals < 0.6]  # more is a pause
    voiced_s = np.array([(end - first) * HOP_S for first, end in runs(tracks.voiced)])
    figures = {
        "syllable_rate": len(nuclei_s) / max(HOP_S * len(tracks.speech), HOP_S),
        "articulation_rate": len(nuclei_s) / max(HOP_S * tracks.speech.sum(), HOP_S),
    }
    if len(within):
        figures |= {"syllable_mean": float(within.mean()), "syllable_std": float(within.std())}
    if len(within) > 1:  # the pairwise variability index, which tells rhythms apart (Grabe & Low 2002)
        pairs = np.abs(np.diff(within)) / ((within[1:] + within[:-1]) / 2)
        figures["syllable_npvi"] = float(pairs.mean())
    if len(voiced_s):
        figures |= {
            "voiced_run_mean": float(voiced_s.mean()),
            "voiced_run_std": float(voiced_s.std()),
            "voiced_run_longest": float(voiced_s.max()),
        }
    return figures


def syllables_s(tracks: Tracks) -> Floats:
    """When syllables have their nuclei: voiced peaks of the level with a dip of 2 dB before the next."""
    level = np.convolve(tracks.level_db, np.hanning(9) / np.hanning(9).sum(), mode="same")
    nuclei: list[int] = []
    dip = -math.inf  # the lowest level since the last nucleus; before the first one, anything will do
    for hop in np.flatnonzero((level[1:-1] >= level[:-2]) & (level[1:-1] > level[2:])) + 1:
        if not (tracks.voiced[hop] and tracks.speech[hop]):
            continue
        if nuclei:
            dip = float(level[nuclei[-1] : hop].min())
        if level[hop] - dip >= _DIP_DB and (not nuclei or level[nuclei[-1]] - dip >= _DIP_DB):
            nuclei.append(int(hop))
        elif level[hop] > level[nuclei[-1]]:
            nuclei[-1] = int(hop)  # the same syllable, at its real peak
    return np.array(nuclei, np.float32) * np.float32(HOP_S)


def _pauses(tracks: Tracks) -> Mapping[str, float]:
    spoken = np.flatnonzero(tracks.speech)
    inside = tracks.speech[spoken[0] : spoken[-1] + 1]
    lengths_s = np.array([(end - first) * HOP_S for first, end in runs(~inside)])
    lengths_s = lengths_s[lengths_s >= _PAUSE_S] if len(lengths_s) else lengths_s
    phrases_s = np.array([(end - first) * HOP_S for first, end in runs(inside)])
    return {
        "pause_share": float(lengths_s.sum() / (HOP_S * len(inside))),
        "pause_rate": len(lengths_s) / (HOP_S * len(inside)),
        "pause_mean": float(lengths_s.mean()) if len(lengths_s) else 0.0,
        "pause_std": float(lengths_s.std()) if len(lengths_s) else 0.0,
        "pause_longest": float(lengths_s.max(initial=0)),
        "phrase_mean": float(phrases_s.mean()),
        "phrase_std": float(phrases_s.std()),
        "phrase_longest": float(phrases_s.max()),
    }


def _spectrum(tracks: Tracks) -> Mapping[str, float]:
    voiced = tracks.voiced & tracks.speech
    hops = voiced if voiced.any() else tracks.speech
    octaves = tracks.octaves_db[hops]
    tilt = _tilt(octaves)
    clean = np.clip(tracks.periodicity[hops], 0.01, 0.999)
    harmonic_db = 10 * np.log10(clean / (1 - clean))
    mean = octaves.mean(axis=0)
    return {
        "tilt_mean": float(tilt.mean()),
        "tilt_std": float(tilt.std()),
        "tilt_p10": float(np.percentile(tilt, 10)),
        "tilt_p90": float(np.percentile(tilt, 90)),
        "tilt_loud": float(tilt[tracks.level_db[hops] >= np.median(tracks.level_db[hops])].mean()),
        "octave_250": float(mean[1] - mean[2]),
        "octave_1000": float(mean[3] - mean[2]),
        "octave_2000": float(mean[4] - mean[2]),
        "octave_4000": float(mean[5] - mean[2]),
        "centroid_mean": float(tracks.centroid_hz[hops].mean()),
        "centroid_std": float(tracks.centroid_hz[hops].std()),
        "rolloff_mean": float(tracks.rolloff_hz[hops].mean()),
        "harmonic_mean": float(harmonic_db.mean()),
        "harmonic_std": float(harmonic_db.std()),
        "flux_mean": float(tracks.flux[hops].mean()),
        "flux_std": float(tracks.flux[hops].std()),
    }


def _tilt(octaves_db: Floats) -> Floats:
    """How steeply each spectrum falls, in dB an octave: pressed and excited voices fall less."""
    octave = np.arange(len(OCTAVE_EDGES_HZ) - 1, dtype=np.float32)
    weights = (octave - octave.mean()) / ((octave - octave.mean()) ** 2).sum()
    return np.asarray(octaves_db @ weights, np.float32)
