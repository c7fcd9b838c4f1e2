"""HiFi-GAN as XTTS v2 has it: frames of latents to samples, for a batch whose rows may end at different places.

The same computation as `HifiganGenerator` of coqui-tts (vocoder/models/hifigan_generator.py), on folded weights, and on
images one pixel high with the channels of each pixel side by side: convolutions are twice as fast so on a CPU, and more
in bfloat16 where it has matrix units.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from appliance.xtts.settings import DILATIONS, KERNELS, UPSAMPLING, VOCODER

SLOPE = 0.1
LAST_SLOPE = 0.01
# How far one sample looks: 3 frames in the first convolution; 60 samples in the residual blocks after the first
# upsampling, which are 7.5 frames, and 60 finer ones after each of the others (0.94 + 0.47 + 0.23); less than one for
# the upsamplings and the last convolution.
CONTEXT_FRAMES = 13


class HifiGan:
    """The generator with its weights on one device, in one precision. It keeps no state: any thread may call it."""

    def __init__(self, weights: Mapping[str, Tensor], device: torch.device, dtype: torch.dtype) -> None:
        self._weights = {
            name.removeprefix(f"{VOCODER}."): _as_image(tensor.to(device=device, dtype=dtype))
            for name, tensor in weights.items()
            if name.startswith(VOCODER)
        }

    def __call__(self, frames: Tensor, voices: Tensor, ends: Tensor | None = None) -> Tensor:
        """(rows, frames, width), (rows, 512) → (rows, frames · 256) samples in -1 … 1 at 24 kHz.

        ends: (rows,) how many frames each row really has; after them, all is as if there were nothing. It costs a
        multiplication before each convolution, so leave it out where all rows are full.
        """
        image = frames.transpose(1, 2)[:, :, None].contiguous(memory_format=torch.channels_last)
        sound = self._convolve("conv_pre", _cut(image, ends, 1)) + self._heard(voices, "cond_layer")
        scale = 1
        for stage, (rate, kernel) in enumerate(UPSAMPLING):
            sound = _cut(functional.leaky_relu_(sound, SLOPE), ends, scale)
            weight, bias = self._weights[f"ups.{stage}.weight"], self._weights[f"ups.{stage}.bias"]
            padding = (0, (kernel - rate) // 2)
            sound = functional.conv_transpose2d(sound, weight, bias, stride=(1, rate), padding=padding)
            sound += self._heard(voices, f"conds.{stage}")
            scale *= rate
            sound = self._stage(stage, sound, ends, scale)
        sound = _cut(functional.leaky_relu_(sound, LAST_SLOPE), ends, scale)
        return torch.tanh(functional.conv2d(sound, self._weights["conv_post.weight"], padding=(0, 3)))[:, 0, 0]

    def _stage(self, stage: int, sound: Tensor, ends: Tensor | None, scale: int) -> Tensor:
        """The mean of its residual blocks, one for each kernel."""
        first = stage * len(KERNELS)
        total = self._residual(f"resblocks.{first}", sound, ends, scale)
        for place in range(1, len(KERNELS)):
            total += self._residual(f"resblocks.{first + place}", sound, ends, scale)
        return total.div_(len(KERNELS))

    def _residual(self, block: str, sound: Tensor, ends: Tensor | None, scale: int) -> Tensor:
        for number, dilation in enumerate(DILATIONS):
            wide = _cut(functional.leaky_relu(sound, SLOPE), ends, scale)
            narrow = functional.leaky_relu_(self._convolve(f"{block}.convs1.{number}", wide, dilation), SLOPE)
            sound = self._convolve(f"{block}.convs2.{number}", _cut(narrow, ends, scale)).add_(sound)
        return sound

    def _convolve(self, name: str, sound: Tensor, dilation: int = 1) -> Tensor:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        padding = (0, (weight.shape[3] - 1) // 2 * dilation)
        return functional.conv2d(sound, weight, bias, padding=padding, dilation=(1, dilation))

    def _heard(self, voices: Tensor, name: str) -> Tensor:
        """What a voice adds to every sample at one place: (rows, channels, 1, 1)."""
        weight, bias = self._weights[f"{name}.weight"][:, :, 0, 0], self._weights[f"{name}.bias"]
        return functional.linear(voices, weight, bias)[:, :, None, None]


def _as_image(tensor: Tensor) -> Tensor:
    """A kernel (out, in, size) as (out, in, 1, size), channels last; a bias stays."""
    return tensor if tensor.dim() == 1 else tensor[:, :, None].contiguous(memory_format=torch.channels_last)


def _cut(sound: Tensor, ends: Tensor | None, scale: int) -> Tensor:
    """Zeros after the end of each row: what a convolution's own padding is in a row that is not filled up."""
    if ends is None:
        return sound
    places = torch.arange(sound.shape[3], device=sound.device)
    return sound * (places < (ends * scale)[:, None])[:, None, None].to(sound.dtype)
