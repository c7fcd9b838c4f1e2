"""How good a recording is for a voice: speech, noise, clipping, bandwidth; and in plain words what to do better."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from appliance.voices.activity import HOP_MS, Activity, find_speech, runs
from appliance.voices.arrays import Floats
from appliance.voices.profile import Quality

NEEDED_SPEECH_S = 180
LEAST_SPEECH_S = 1.0  # in a file; less is silence
GOOD_SNR_DB = 20.0
LEAST_SNR_DB = 10.0
MOST_CLIPPED = 0.001
NARROW_HZ = 5000.0  # a telephone ends at 3.4 kHz

_BEST_SNR_DB = 90.0
_BAND_HZ = 250
_BAND_FLOOR_DB = -65.0  # below a spectrum's maximum there is nothing that anybody hears
_LSB = 1 / 32768


@dataclass(frozen=True, slots=True)
class Advice:
    """A sentence for whoever made the recordings. `refuses`: with these, no voice can be made."""

    refuses: bool
    text: str


def measure(samples: Floats, rate_hz: int) -> Quality:
    """The figures of one recording, mono in -1 … 1."""
    activity = find_speech(samples, rate_hz)
    return Quality(
        speech_s=activity.speech_s,
        snr_db=snr_db(activity),
        clipped_share=clipped_share(samples),
        bandwidth_hz=bandwidth_hz(samples, rate_hz, activity),
    )


def together(measured: Sequence[Quality]) -> Quality:
    """The figures of several recordings as one, weighted by their speech; the bandwidth is that of most of it."""
    weights = np.array([max(one.speech_s, 1e-6) for one in measured])
    share = weights / weights.sum()
    order = np.argsort([one.bandwidth_hz for one in measured])
    half = order[np.searchsorted(np.cumsum(share[order]), 0.5)]
    return Quality(
        speech_s=sum(one.speech_s for one in measured),
        snr_db=float(share @ [one.snr_db for one in measured]),
        clipped_share=float(share @ [one.clipped_share for one in measured]),
        bandwidth_hz=measured[half].bandwidth_hz,
    )


def snr_db(activity: Activity) -> float:
    """Speech above noise: mean power while somebody speaks, against mean power while nobody does."""
    power = 10 ** (activity.level_db.astype(np.float64) / 10)
    speech, pauses = power[activity.loud], power[~activity.speech]
    if not len(speech):
        return 0.0
    noise = float(pauses.mean() if len(pauses) else np.percentile(power, 5))
    return float(np.clip(10 * np.log10(max(speech.mean() - noise, 1e-12) / noise), -_BEST_SNR_DB, _BEST_SNR_DB))


def clipped_share(samples: Floats) -> float:
    """How much of a recording lies cut off: three samples or more in a row at its very maximum.

    The maximum need not be full scale: what was clipped may have been made quieter afterwards.
    """
    level = np.abs(samples)
    if not len(level) or level.max() < 0.25:  # so quiet that the steps of 16 bits look like it
        return 0.0
    top = level >= level.max() - 1.5 * _LSB
    return sum(end - first for first, end in runs(top) if end - first >= 3) / len(level)


def bandwidth_hz(samples: Floats, rate_hz: int, activity: Activity) -> float:
    """Up to which frequency speech stands out from noise; 0 without speech."""
    hop = rate_hz * HOP_MS // 1000
    frames = samples[: len(activity.level_db) * hop].reshape(-1, hop) * np.hanning(hop).astype(np.float32)
    speech, pauses = frames[activity.loud], frames[~activity.speech]
    if not len(speech):
        return 0.0
    signal = _bands(speech, rate_hz)
    noise = _bands(pauses, rate_hz) if len(pauses) else np.zeros_like(signal)
    stands_out = (signal > 2 * noise) & (signal > signal.max() * 10 ** (_BAND_FLOOR_DB / 10))
    return float((np.flatnonzero(stands_out)[-1] + 1) * _BAND_HZ) if stands_out.any() else 0.0


def _bands(frames: Floats, rate_hz: int) -> Floats:
    """Mean power in each band of 250 Hz."""
    power = np.mean(np.abs(np.fft.rfft(frames, axis=1)) ** 2, axis=0)
    per_band = max(1, round(_BAND_HZ * frames.shape[1] / rate_hz))
    whole = power[: len(power) // per_band * per_band]
    return np.asarray(whole.reshape(-1, per_band).mean(axis=1), np.float32)


def advise(recordings: Sequence[tuple[str, Quality]], needed_s: float = NEEDED_SPEECH_S) -> list[Advice]:
    """What to record again, and why: (name, figures) of each file in, worst first out; nothing where all is well."""
    advice = [*_of_all(recordings, needed_s)]
    for name, quality in recordings:
        if quality.speech_s >= LEAST_SPEECH_S:
            advice += _of_one(name, quality)
    return sorted(advice, key=lambda one: not one.refuses)


def _of_all(recordings: Sequence[tuple[str, Quality]], needed_s: float) -> Iterator[Advice]:
    silent = [name for name, quality in recordings if quality.speech_s < LEAST_SPEECH_S]
    names = f"{_count(len(silent), 'file is', 'files are')} silent: {', '.join(silent)}"
    speech_s = sum(quality.speech_s for _, quality in recordings)
    if speech_s < needed_s:
        files = _count(len(recordings), "file", "files")
        text = f"only {int(speech_s)} s of speech in {files} ({needed_s:.0f} s needed)"
        yield Advice(True, f"{text}; {names}" if silent else f"{text}; record more")
    elif silent:
        yield Advice(False, names)


def _of_one(name: str, quality: Quality) -> Iterator[Advice]:
    if quality.snr_db < GOOD_SNR_DB:
        figures = f"{quality.snr_db:.0f} dB between speech and noise, {GOOD_SNR_DB:.0f} dB are good"
        hint = "record it again in a quieter room, closer to the microphone"
        yield Advice(quality.snr_db < LEAST_SNR_DB, f"{name} is noisy ({figures}); {hint}")
    if quality.clipped_share > MOST_CLIPPED:
        hint = "record it again with less gain, or further from the microphone"
        yield Advice(False, f"{name} is overdriven ({quality.clipped_share:.1%} of it is cut off); {hint}")
    if quality.bandwidth_hz < NARROW_HZ:
        heard = f"nothing above {quality.bandwidth_hz / 1000:.1f} kHz"
        yield Advice(False, f"{name} sounds like a telephone ({heard}); a headset makes a better voice")


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
