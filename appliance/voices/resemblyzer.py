"""Whose voice it is, as 256 numbers: Resemblyzer's encoder (three LSTM layers), in numpy.

Its weights come in the package of that name (Apache-2.0), of which nothing is run. It tells how alike two voices are:
good to see that all recordings are of one speaker, not good enough to let anybody in by their voice.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from appliance.engines.model_files import manifest, verified_folder
from appliance.engines.protocols import EngineError
from appliance.media.resample import resample
from appliance.voices.activity import HOP_MS, find_speech
from appliance.voices.arrays import Floats
from appliance.voices.checkpoint import NotACheckpoint, read_tensors
from appliance.voices.mel import HOP, RATE_HZ, mel_spectrogram
from appliance.voices.scales import RESEMBLYZER

MODEL = "resemblyzer"
WIDTH = 256
PARTIAL_FRAMES = 160  # 1.6 s, what it was trained on
_LAYERS = 3
_STEP_FRAMES = 77  # a new partial every 0.77 s
_COVERED = 0.75  # of the last partial, or it is left out
_BATCH = 64
_LEVEL_DB = -30.0  # softer speech is made so loud


class Resemblyzer:
    """The encoder. For several threads."""

    model = MODEL
    width = WIDTH
    scale = RESEMBLYZER

    def __init__(self, cache_dir: Path) -> None:
        """Load it, about 0.1 s. Raises EngineError when the weights are missing or not the right ones."""
        folder = verified_folder(manifest()[MODEL], cache_dir)
        try:
            weights = read_tensors(folder / "pretrained.pt", "model_state")
        except NotACheckpoint as error:
            raise EngineError(f"the weights in {folder} cannot be used: {error}") from None
        self._layers = [
            (
                weights[f"lstm.weight_ih_l{layer}"].T.copy(),
                weights[f"lstm.weight_hh_l{layer}"].T.copy(),
                weights[f"lstm.bias_ih_l{layer}"] + weights[f"lstm.bias_hh_l{layer}"],
            )
            for layer in range(_LAYERS)
        ]
        self._linear = weights["linear.weight"].T.copy(), weights["linear.bias"]

    def partials(self, speech: Floats, progress: Callable[[float], None] = lambda _: None) -> Floats:
        """(partials, 256), each of length 1: one every 0.77 s of `speech`, which is what `clean_speech` gives.

        `progress` is told the share that is done. Resemblyzer 0.1.4 itself (torch 2.15, librosa 0.11)
        gives the same to 5e-7 a number, on eight recordings of LJSpeech.
        """
        first_frames = partial_starts(len(speech))
        needed = (first_frames[-1] + PARTIAL_FRAMES) * HOP
        mel = mel_spectrogram(np.pad(speech, (0, max(0, needed - len(speech)))))
        made = []
        for first in range(0, len(first_frames), _BATCH):
            batch = first_frames[first : first + _BATCH]
            made.append(self._encode(np.stack([mel[start : start + PARTIAL_FRAMES] for start in batch])))
            progress(min(1.0, (first + _BATCH) / len(first_frames)))
        return np.concatenate(made)

    def _encode(self, mels: Floats) -> Floats:
        """(partials, 160, 40) → (partials, 256)."""
        sequence = mels
        for into, again, bias in self._layers:
            sequence = _lstm(sequence, into, again, bias)
        weight, bias = self._linear
        return _normed(np.maximum(sequence[:, -1] @ weight + bias, 0))


def clean_speech(samples: Floats, rate_hz: int) -> Floats:
    """What is spoken in `samples`, at 16 kHz and loud enough; silences longer than 0.2 s are left out."""
    at_rate = resample(np.asarray(samples, np.float32), rate_hz, RATE_HZ)
    hop = RATE_HZ * HOP_MS // 1000
    spoken = np.repeat(find_speech(at_rate, RATE_HZ).speech, hop)
    return loud_enough(at_rate[: len(spoken)][spoken])


def loud_enough(speech: Floats) -> Floats:
    """Speech at 16 kHz, no softer than what the encoder was trained on."""
    if not len(speech):
        return speech
    level_db = 10 * np.log10(max(float(np.mean(speech.astype(np.float64) ** 2)), 1e-12))
    return np.asarray(speech * 10 ** (max(0.0, _LEVEL_DB - level_db) / 20), np.float32)


def partial_starts(samples: int) -> list[int]:
    """The first frame of each partial of so many samples; the last one may reach beyond their end."""
    frames = -(-(samples + 1) // HOP)
    starts = list(range(0, max(1, frames - PARTIAL_FRAMES + _STEP_FRAMES + 1), _STEP_FRAMES))
    covered = (samples - starts[-1] * HOP) / (PARTIAL_FRAMES * HOP)
    return starts[:-1] if covered < _COVERED and len(starts) > 1 else starts


def _lstm(sequence: Floats, into: Floats, again: Floats, bias: Floats) -> Floats:
    """(batch, steps, any) → (batch, steps, 256). Gates in torch's order: input, forget, cell, output."""
    batch, steps, _ = sequence.shape
    gates_in = sequence @ into + bias
    hidden = np.zeros((batch, WIDTH), np.float32)
    cell = np.zeros_like(hidden)
    out = np.empty((batch, steps, WIDTH), np.float32)
    for step in range(steps):
        gates = gates_in[:, step] + hidden @ again
        admit, keep, give = (_sigmoid(gates[:, gate * WIDTH : (gate + 1) * WIDTH]) for gate in (0, 1, 3))
        cell = keep * cell + admit * np.tanh(gates[:, 2 * WIDTH : 3 * WIDTH])
        hidden = give * np.tanh(cell)
        out[:, step] = hidden
    return out


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)), np.float32)  # without overflow


def _normed(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9), np.float32)
