"""How somebody speaks, as a style embedding: the GST encoder in a Tacotron checkpoint of coqui-tts, in numpy.

A reference encoder (six convolutions over mel bands, a GRU) asks a layer of style tokens, and its answer is the style
(Wang et al. 2018, arXiv:1803.09017). Layers are those of coqui-tts 0.28.0 (tts/layers/tacotron/gst_layers.py). Of the
checkpoint only these tensors are taken, without torch; nothing in it is run.
"""

from pathlib import Path

import numpy as np

from appliance.engines.protocols import EngineError
from appliance.media.resample import resample
from appliance.voices.activity import HOP_MS, find_speech
from appliance.voices.arrays import Floats
from appliance.voices.checkpoint import NotACheckpoint, fingerprint, read_tensors
from appliance.voices.coqui_audio import SETTINGS, CoquiAudio
from appliance.voices.profile import STYLE_SLOT, Embedding

WEIGHTS = ("model_file.pth", "model_file.pth.tar", "model.pth", "best_model.pth", "checkpoint.pth")
_TABLE, _PREFIX = "model", "gst_layer."
_LAYERS = 6
_EPSILON = 1e-5  # torch.nn.BatchNorm2d
_LEAST_SPEECH_S = 0.3
_GRU = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


_Convolution = tuple[Floats, Floats]  # weights, (outs, ins * 9), with the norm after them in them; biases


class Gst:
    """The encoder. For several threads."""

    def __init__(self, folder: Path) -> None:
        """Load it. Raises EngineError when the folder lacks something, or holds another model."""
        self.audio = CoquiAudio(folder)
        path = _checkpoint(folder)
        weights = _weights(path)
        try:
            self._convolutions = [_folded(weights, layer) for layer in range(_LAYERS)]
            self._gru = [weights[f"encoder.recurrence.{part}_l0"] for part in _GRU]
            self._tokens = _Tokens(weights)
            if not np.isfinite(self.embedded(np.zeros((64, self.audio.settings.num_mels), np.float32))).all():
                raise ValueError("some of its weights are no numbers")
        except (KeyError, ValueError, IndexError) as error:
            what = f"{path} has no style encoder that goes with its {SETTINGS}: {str(error).splitlines()[0]}"
            raise EngineError(f"{what}; get both of one checkpoint") from None
        if self._tokens.slots > STYLE_SLOT:
            what = f"{path} makes {self._tokens.width} numbers of a style, of {self._tokens.slots} kinds"
            raise EngineError(f"{what}; take a checkpoint with at most {STYLE_SLOT} (gst_num_heads × style tokens)")
        self.width = self._tokens.slots
        self.model = f"gst-{fingerprint(weights, self.audio.identity)}"

    def style(self, samples: Floats, rate_hz: int) -> Embedding | None:
        """The style of `samples`, mono, any rate, from the first word to the last; None for less than 0.3 s of speech.

        An embedding of more than 64 numbers is given in other coordinates, in which all distances are the same.
        """
        said = _said(samples, rate_hz)
        if len(said) < _LEAST_SPEECH_S * rate_hz:
            return None
        at_rate = resample(said, rate_hz, self.audio.settings.sample_rate)
        mels = self.audio.mels(self.audio.loud_enough(at_rate))
        return Embedding.of(self.model, self.coordinates(mels), STYLE_SLOT)

    def embedded(self, mels: Floats) -> Floats:
        """The whole embedding of mel bands, (frames, bands), as coqui-tts's GST has it."""
        return self._tokens.whole(self._heed(mels))

    def coordinates(self, mels: Floats) -> Floats:
        """The same in `width` numbers, 64 at most."""
        return self._tokens.told(self._heed(mels))

    def _heed(self, mels: Floats) -> Floats:
        """How much each head heeds each token, (heads, tokens)."""
        planes = mels[None]
        for weight, bias in self._convolutions:
            planes = _halved(planes, weight, bias)
        frames = planes.transpose(1, 0, 2).reshape(planes.shape[1], -1)
        return self._tokens.heed(_recurred(frames, self._gru))


class _Tokens:
    """The layer of style tokens: each head heeds some of them, and so says its part of the style."""

    def __init__(self, weights: dict[str, Floats]) -> None:
        """Raises KeyError, ValueError where it is another layer."""
        tokens = np.tanh(weights["style_token_layer.style_tokens"])
        query, key, value = (
            weights[f"style_token_layer.attention.W_{one}.weight"] for one in ("query", "key", "value")
        )
        self.width, self._part = len(query), tokens.shape[1]
        if query.shape[1] != self.width // 2:
            raise ValueError("it wants to be told who speaks (gst_use_speaker_embedding)")
        self._query = query
        self._keys = _heads(tokens @ key.T, self._part)
        self._values = _heads(tokens @ value.T, self._part)
        # What a head says is a mixture of its tokens' values, one for each token. The root of their products is as far
        # from another mixture as the mixture itself, in as many numbers as there are tokens.
        self._roots = np.stack([_root(values @ values.T) for values in self._values])
        self.slots = self.width if self.width <= STYLE_SLOT else self._values.shape[0] * self._values.shape[1]

    def heed(self, queried: Floats) -> Floats:
        """(heads, tokens), each head's of sum 1."""
        queries = (self._query @ queried).reshape(-1, self._part, 1)
        scores = (self._keys @ queries)[:, :, 0] / np.float32(np.sqrt(self._part))
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)

    def whole(self, heed: Floats) -> Floats:
        """(width,)"""
        return np.asarray((heed[:, None] @ self._values).reshape(-1), np.float32)

    def told(self, heed: Floats) -> Floats:
        """(slots,): the same, or at the same distances from each other."""
        return self.whole(heed) if self.width <= STYLE_SLOT else (heed[:, None] @ self._roots).reshape(-1)


def _heads(mixed: Floats, part: int) -> Floats:
    """(tokens, heads * part) → (heads, tokens, part)."""
    return np.ascontiguousarray(mixed.reshape(len(mixed), -1, part).transpose(1, 0, 2))


def _root(products: Floats) -> Floats:
    """The one symmetric matrix whose square it is."""
    squares, directions = np.linalg.eigh(products.astype(np.float64))
    return np.asarray((directions * np.sqrt(np.maximum(squares, 0))) @ directions.T, np.float32)


def _folded(weights: dict[str, Floats], layer: int) -> _Convolution:
    """A convolution and the norm after it as one."""
    weight, bias = weights[f"encoder.convs.{layer}.weight"], weights[f"encoder.convs.{layer}.bias"]
    gain, shift, mean, variance = (
        weights[f"encoder.bns.{layer}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
    )
    if weight.shape[2:] != (3, 3):
        raise ValueError(f"its convolutions are {weight.shape[2:]} and not (3, 3)")
    gain = gain / np.sqrt(variance + _EPSILON)
    return weight.reshape(len(weight), -1) * gain[:, None], (bias - mean) * gain + shift


def _halved(planes: Floats, weight: Floats, bias: Floats) -> Floats:
    """(ins, frames, bands) → (outs, frames / 2, bands / 2), rounded up; the edges are zeros."""
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1)))
    around = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]
    ins, frames, bands = around.shape[:3]
    columns = around.transpose(0, 3, 4, 1, 2).reshape(ins * 9, frames * bands)
    return np.asarray(np.maximum(weight @ columns + bias[:, None], 0).reshape(-1, frames, bands), np.float32)


def _recurred(frames: Floats, gru: list[Floats]) -> Floats:
    """The last state of a GRU. Gates in torch's order: reset, update, new."""
    into, again, bias_in, bias_again = gru
    hidden = np.zeros(again.shape[1], np.float32)
    for gates_in in frames @ into.T + bias_in:
        reset_in, update_in, new_in = np.split(gates_in, 3)
        reset, update, new = np.split(again @ hidden + bias_again, 3)
        keep = _sigmoid(update_in + update)
        hidden = (1 - keep) * np.tanh(new_in + _sigmoid(reset_in + reset) * new) + keep * hidden
    return hidden


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)), np.float32)  # without overflow


def _said(samples: Floats, rate_hz: int) -> Floats:
    """From the first word to the last, the pauses in between included."""
    spoken = np.flatnonzero(find_speech(samples, rate_hz).speech)
    hop = rate_hz * HOP_MS // 1000
    return np.asarray(samples[spoken[0] * hop : (spoken[-1] + 1) * hop] if len(spoken) else samples[:0], np.float32)


def _checkpoint(folder: Path) -> Path:
    found = [folder / name for name in WEIGHTS if (folder / name).exists()]
    if not found:
        raise EngineError(f"{folder} has no {WEIGHTS[0]}; put the checkpoint of coqui-tts there, as it is published")
    return found[0]


def _weights(path: Path) -> dict[str, Floats]:
    """Raises EngineError."""
    try:
        weights = read_tensors(path, _TABLE, _PREFIX)
    except OSError as error:
        raise EngineError(f"{path} cannot be read: {error.strerror}; let this user read it") from None
    except NotACheckpoint as error:
        raise EngineError(f"{path} cannot be used: {error}; download it again") from None
    if not weights:
        raise EngineError(f"{path} has no style encoder; take a Tacotron of coqui-tts that was trained with use_gst")
    return weights
