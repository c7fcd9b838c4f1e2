"""Whose voice it is, as 192 numbers: SpeechBrain's ECAPA-TDNN, from a local folder as it is published, in numpy.

Of the folder, only numbers are taken. SpeechBrain itself would make whatever objects hyperparams.yaml names, which may
run anything; here that file is only looked at. Features and layers are those of speechbrain 1.1.2
(lobes/models/ECAPA_TDNN.py, processing/features.py).
"""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from appliance.engines.protocols import EngineError
from appliance.voices.arrays import Floats
from appliance.voices.checkpoint import NotACheckpoint, fingerprint, read_tensors
from appliance.voices.mel import RATE_HZ
from appliance.voices.scales import ECAPA

KIND = "ecapa-tdnn"
WEIGHTS, SETTINGS = "embedding_model.ckpt", "hyperparams.yaml"
PUBLISHED = "speechbrain/spkrec-ecapa-voxceleb"
PARTIAL_S, STEP_S = 3.0, 1.5
_COVERED = 0.5  # of a step: what is left at the end and shorter has been heard already
LEAST = RATE_HZ // 2  # samples: shorter speech is heard over and over
_MOST_WIDTH = 256
_MELS, _FFT, _HOP = 80, 400, 160
_FLOOR, _DYNAMICS_DB = 1e-10, 80.0
_EPSILON = 1e-5  # torch.nn.BatchNorm1d
_LEAST_VARIANCE = 1e-12
_DILATIONS = (1, 2, 3, 4, 1)
# What the layers here are made for, as hyperparams.yaml has it; a line that says something else is another model.
_EXPECTED = {"n_mels": str(_MELS), "dilations": str(list(_DILATIONS)), "sample_rate": str(RATE_HZ), "deltas": "False"}


class Ecapa:
    """The encoder. For several threads."""

    scale = ECAPA

    def __init__(self, folder: Path) -> None:
        """Load it. Raises EngineError when the folder lacks something, or holds another model."""
        _check_settings(folder)
        self._weights = _weights(folder / WEIGHTS)
        try:
            self.width = len(self._weights["fc.conv.weight"])
            if not np.isfinite(self._embedded(np.zeros(LEAST, np.float32))).all():
                raise ValueError("some of its weights are no numbers")
        except (KeyError, ValueError, IndexError) as error:
            what = f"{folder / WEIGHTS} is another model than {PUBLISHED}"
            raise EngineError(f"{what}: {str(error).splitlines()[0]}; download it again") from None
        if not 1 <= self.width <= _MOST_WIDTH:
            raise EngineError(f"{folder / WEIGHTS} makes {self.width} numbers of a voice; {_MOST_WIDTH} is the most")
        self.model = f"{KIND}-{fingerprint(self._weights)}"

    def partials(self, speech: Floats, progress: Callable[[float], None] = lambda _: None) -> Floats:
        """(partials, width), each of length 1: one every 1.5 s of `speech`, of 3 s each, less where there is less.

        `progress` is told the share that is done.
        """
        heard = speech if len(speech) >= LEAST else _repeated(speech)
        starts = _starts(len(heard))
        made = []
        for count, start in enumerate(starts, 1):
            embedded = self._embedded(heard[start : start + round(PARTIAL_S * RATE_HZ)])
            made.append(embedded / max(float(np.linalg.norm(embedded)), 1e-9))
            progress(count / len(starts))
        return np.asarray(np.stack(made), np.float32)

    def _embedded(self, samples: Floats) -> Floats:
        """(width,) of some speech at 16 kHz, as `EncoderClassifier.encode_batch` has it."""
        first = self._tdnn("blocks.0", features(samples), _DILATIONS[0])
        outs, last = [], first
        for block in (1, 2, 3):
            last = self._block(f"blocks.{block}", last, _DILATIONS[block])
            outs.append(last)
        frames = self._tdnn("mfa", np.concatenate(outs), _DILATIONS[4])
        pooled = self._normed("asp_bn.norm", self._pooled(frames))
        return np.asarray(self._conv("fc", pooled)[:, 0], np.float32)

    def _block(self, name: str, frames: Floats, dilation: int) -> Floats:
        """SE-Res2Net: (channels, frames) → the same."""
        residual = self._conv(f"{name}.shortcut", frames) if f"{name}.shortcut.conv.weight" in self._weights else frames
        inner = self._tdnn(f"{name}.tdnn1", frames)
        inner = self._res2net(f"{name}.res2net_block.blocks", inner, dilation)
        inner = self._tdnn(f"{name}.tdnn2", inner)
        squeezed = np.maximum(self._conv(f"{name}.se_block.conv1", inner.mean(axis=1, keepdims=True)), 0)
        gain = self._conv(f"{name}.se_block.conv2", squeezed)
        return np.asarray(inner * (0.5 * (1 + np.tanh(0.5 * gain))) + residual, np.float32)

    def _res2net(self, name: str, frames: Floats, dilation: int) -> Floats:
        """Each part of the channels hears the one before it, too."""
        blocks = sum(key.startswith(f"{name}.") and key.endswith(".conv.conv.weight") for key in self._weights)
        parts = np.split(frames, 1 + blocks)
        done = [parts[0]]
        for index, part in enumerate(parts[1:]):
            done.append(self._tdnn(f"{name}.{index}", part + done[-1] if index else part, dilation))
        return np.concatenate(done)

    def _pooled(self, frames: Floats) -> Floats:
        """Attentive statistics: (channels, frames) → (2 * channels, 1), means and deviations."""
        mean, deviation = _statistics(frames, np.full((1, frames.shape[1]), 1 / frames.shape[1], np.float32))
        around = np.concatenate([frames, *(np.repeat(each, frames.shape[1], axis=1) for each in (mean, deviation))])
        heed = self._conv("asp.conv", np.tanh(self._tdnn("asp.tdnn", around)))
        weights = np.exp(heed - heed.max(axis=1, keepdims=True))
        return np.concatenate(_statistics(frames, weights / weights.sum(axis=1, keepdims=True)))

    def _tdnn(self, name: str, frames: Floats, dilation: int = 1) -> Floats:
        return self._normed(f"{name}.norm.norm", np.maximum(self._conv(f"{name}.conv", frames, dilation), 0))

    def _conv(self, name: str, frames: Floats, dilation: int = 1) -> Floats:
        """As many frames as before: the edges are mirrored."""
        weight, bias = self._weights[f"{name}.conv.weight"], self._weights[f"{name}.conv.bias"]
        beyond = dilation * (weight.shape[2] - 1) // 2
        padded = np.pad(frames, ((0, 0), (beyond, beyond)), mode="reflect") if beyond else frames
        count, size = frames.shape[1], weight.shape[2]
        taps = (weight[:, :, tap] @ padded[:, tap * dilation : tap * dilation + count] for tap in range(size))
        return np.asarray(sum(taps) + bias[:, None], np.float32)

    def _normed(self, name: str, frames: Floats) -> Floats:
        weight, bias, mean, variance = (
            self._weights[f"{name}.{part}"][:, None] for part in ("weight", "bias", "running_mean", "running_var")
        )
        return np.asarray((frames - mean) * (weight / np.sqrt(variance + _EPSILON)) + bias, np.float32)


def features(samples: Floats) -> Floats:
    """(80, frames) of speech at 16 kHz, a frame every 10 ms: decibels in mel bands, without the mean of each band."""
    padded = np.pad(np.asarray(samples, np.float32), _FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP]
    power = np.abs(np.fft.rfft(frames * np.hamming(_FFT + 1)[:-1], axis=1)) ** 2
    decibels = 10 * np.log10(np.maximum(power @ _bands(), _FLOOR))
    decibels = np.maximum(decibels, decibels.max() - _DYNAMICS_DB)
    return np.asarray((decibels - decibels.mean(axis=0)).T, np.float32)


@cache
def _bands() -> Floats:
    """(201, 80): triangles, each as wide as the distance to the next one; not those of mel.py."""
    mel = np.linspace(0, 2595 * np.log10(1 + RATE_HZ / 2 / 700), _MELS + 2)
    corners = 700 * (10 ** (mel / 2595) - 1)
    width, centre = np.diff(corners)[:-1], corners[1:-1]
    slope = (np.linspace(0, RATE_HZ // 2, _FFT // 2 + 1)[:, None] - centre) / width
    return np.asarray(np.maximum(0, np.minimum(1 + slope, 1 - slope)), np.float32)


def _statistics(frames: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Mean and deviation of each channel, (channels, 1) each."""
    mean = (weights * frames).sum(axis=1, keepdims=True)
    variance = (weights * (frames - mean) ** 2).sum(axis=1, keepdims=True)
    return mean, np.asarray(np.sqrt(np.maximum(variance, _LEAST_VARIANCE)), np.float32)


def _repeated(speech: Floats) -> Floats:
    """LEAST samples."""
    return np.resize(speech, LEAST).astype(np.float32)  # of nothing: silence


def _starts(samples: int) -> list[int]:
    """The first sample of each partial."""
    whole, step = round(PARTIAL_S * RATE_HZ), round(STEP_S * RATE_HZ)
    return [0, *range(step, samples - whole + round(step * _COVERED) + 1, step)]


def _check_settings(folder: Path) -> None:
    """Raises EngineError where hyperparams.yaml is missing, or says something else than what is done here."""
    try:
        text = (folder / SETTINGS).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise EngineError(f"{folder} has no {SETTINGS} that can be read; put all files of {PUBLISHED} there") from None
    for key, expected in _EXPECTED.items():
        for value in re.findall(rf"(?m)^\s*{key}:\s*([^!#\s][^#\n]*)", text):
            if value.replace(" ", "") != expected.replace(" ", "").strip():
                wrong = f"{folder / SETTINGS}: {key} is {value.strip()} and not {expected}"
                raise EngineError(f"{wrong}; only models like {PUBLISHED} can be used")


def _weights(path: Path) -> dict[str, Floats]:
    """Raises EngineError."""
    try:
        return read_tensors(path)
    except OSError as error:
        raise EngineError(f"{path} cannot be read: {error.strerror}; put all files of {PUBLISHED} there") from None
    except NotACheckpoint as error:
        raise EngineError(f"{path} cannot be used: {error}; download it again") from None
