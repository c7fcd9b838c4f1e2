"""XTTS v2's GPT in plain torch: a GPT-2 stack that reads and writes slots of one static cache of keys and values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from appliance.xtts.int8 import quantised
from appliance.xtts.packed import is_packed_better, packed
from appliance.xtts.settings import CONDITIONING_LATENTS, Settings

EPSILON = 1e-5  # of every layer norm of GPT-2
ROUND = 64
Precision = Literal["float32", "float16", "bfloat16", "int8"]
Linear = Callable[[Tensor], Tensor]


def most_spoken(settings: Settings) -> int:
    """Tokens of one speech, the stop token included. Coqui-tts sets three aside: one of a voice, start and stop."""
    return settings.most_audio_tokens - 3


def positions_of(settings: Settings) -> int:
    """Those that the longest text with the longest speech takes: voice, start, text, stop, start of speech, speech."""
    return CONDITIONING_LATENTS + 1 + settings.most_text_tokens + 1 + most_spoken(settings)


class Cache:
    """Keys and values of every position that was read, (layers, slots, heads, room, dim) each, never moved.

    There is room for more than `positions`: the last place takes what is computed for rows that nobody wants, for a
    step has no branches; and attention on a GPU likes lengths that are round.
    """

    def __init__(
        self, settings: Settings, slots: int, positions: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.positions = positions
        self.room = room_for(positions)
        self.nowhere = self.room - 1
        size = (settings.layers, slots, settings.heads, self.room, settings.width // settings.heads)
        self.keys = torch.zeros(size, device=device, dtype=dtype)
        self.values = torch.zeros(size, device=device, dtype=dtype)


def room_for(positions: int) -> int:
    """How many places a cache of so many positions has."""
    return (positions // ROUND + 1) * ROUND


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where the rows of a batch are in the cache.

    slots: (rows,); positions: (rows, n), of what is read now. Attention sees the first `length` positions, of each row
    those up to its own. `in_order`: row i is slot i, so that nothing has to be gathered.
    """

    slots: Tensor
    positions: Tensor
    length: int
    in_order: bool

    def write(self, kept: Tensor, new: Tensor) -> None:
        """Put `new` (rows, n, heads, dim) into the cache of one layer."""
        kept[self.slots[:, None], :, self.positions] = new

    def read(self, kept: Tensor) -> Tensor:
        """What attention sees of it: (rows, heads, length, dim)."""
        if self.in_order:
            return kept[: len(self.slots), :, : self.length]
        return kept[:, :, : self.length][self.slots]

    def visible(self) -> Tensor:
        """Which positions each new one sees: (rows, 1, n, length)."""
        every = torch.arange(self.length, device=self.positions.device)
        return every <= self.positions[:, None, :, None]


@dataclass(frozen=True, slots=True, eq=False)
class _Norm:
    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, x.shape[-1:], self.weight, self.bias, EPSILON)


@dataclass(frozen=True, slots=True, eq=False)
class _Exact:
    weight: Tensor  # (out, in)
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight, self.bias)


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """One block of GPT-2."""

    before_attention: _Norm
    query_key_value: Linear
    attended: Linear
    before_mlp: _Norm
    wider: Linear
    narrower: Linear


class Gpt:
    """The network, without anything that belongs to a text or a voice.

    weights: the checkpoint's, those whose names begin with "gpt."; precision: "int8" is for a CPU, with float32 between
    its products. Raises KeyError for a weight that is missing.
    """

    def __init__(
        self, weights: Mapping[str, Tensor], settings: Settings, device: torch.device, precision: Precision = "float32"
    ) -> None:
        self.settings = settings
        self.device = device
        self.precision = precision
        self.dtype: torch.dtype = torch.float32 if precision == "int8" else getattr(torch, precision)
        self._weights = weights
        self._layers = [self._layer(f"gpt.h.{number}") for number in range(settings.layers)]
        self._last_norm = self._norm("gpt.ln_f")
        self._final_norm = self._norm("final_norm")
        self._mel_head = self._linear("mel_head")
        self._text_embedding = self._tensor("text_embedding.weight")
        self._text_places = self._tensor("text_pos_embedding.emb.weight")
        self._audio_embedding = self._tensor("mel_embedding.weight")
        self._audio_places = self._tensor("mel_pos_embedding.emb.weight")
        self.audio_tokens = len(self._audio_embedding)
        self._weights = {}

    def prefix(self, conditioning: Tensor, text: Tensor) -> Tensor:
        """What the model reads before it speaks: (positions, width).

        conditioning: (latents, width), the voice; text: (n,), its tokens without start and stop.
        """
        text = functional.pad(
            functional.pad(text, (1, 0), value=self.settings.start_text_token),
            (0, 1),
            value=self.settings.stop_text_token,
        )
        words = self._text_embedding[text] + self._text_places[: len(text)]
        begin = self._audio_embedding[self.settings.start_audio_token] + self._audio_places[0]
        return torch.cat((conditioning.to(words), words, begin[None]))

    def spoken(self, tokens: Tensor, places: Tensor) -> Tensor:
        """The embedding of audio tokens at their places; the start token has place 0."""
        return self._audio_embedding[tokens] + self._audio_places[places]

    def read(self, x: Tensor, places: Places, cache: Cache) -> Tensor:
        """Read `x` (rows, n, width) into the cache. Returns the hidden states, (rows, n, width)."""
        visible = places.visible()
        for layer, keys, values in zip(self._layers, cache.keys, cache.values, strict=True):
            x = x + self._attention(layer, layer.before_attention(x), places, visible, keys, values)
            x = x + layer.narrower(functional.gelu(layer.wider(layer.before_mlp(x)), approximate="tanh"))
        return self._last_norm(x)

    def speak(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """The latents that the vocoder takes, and the logits of the next token (float32), of each hidden state."""
        latents = self._final_norm(hidden)
        return latents, self._mel_head(latents).float()

    def _attention(
        self, layer: _Layer, x: Tensor, places: Places, visible: Tensor, keys: Tensor, values: Tensor
    ) -> Tensor:
        rows, n, width = x.shape
        query, key, value = layer.query_key_value(x).reshape(rows, n, 3, self.settings.heads, -1).unbind(2)
        places.write(keys, key)
        places.write(values, value)
        seen = functional.scaled_dot_product_attention(
            query.transpose(1, 2), places.read(keys), places.read(values), attn_mask=visible
        )
        return layer.attended(seen.transpose(1, 2).reshape(rows, n, width))

    def _layer(self, name: str) -> _Layer:
        return _Layer(
            self._norm(f"{name}.ln_1"),
            self._linear(f"{name}.attn.c_attn", transposed=True),
            self._linear(f"{name}.attn.c_proj", transposed=True),
            self._norm(f"{name}.ln_2"),
            self._linear(f"{name}.mlp.c_fc", transposed=True),
            self._linear(f"{name}.mlp.c_proj", transposed=True),
        )

    def _tensor(self, name: str) -> Tensor:
        return self._weights[f"gpt.{name}"].to(self.device, self.dtype)

    def _norm(self, name: str) -> _Norm:
        return _Norm(self._tensor(f"{name}.weight"), self._tensor(f"{name}.bias"))

    def _linear(self, name: str, transposed: bool = False) -> Linear:
        """transposed: GPT-2 keeps what it calls a convolution the other way round."""
        weight, bias = self._tensor(f"{name}.weight"), self._tensor(f"{name}.bias")
        if transposed:
            weight = weight.T.contiguous()
        if self.precision == "int8":
            return quantised(weight, bias)
        return packed(weight, bias) if is_packed_better(self.device, self.dtype) else _Exact(weight, bias)
