"""The little of torchaudio that coqui-tts calls, for builds of torch that no torchaudio fits (CPU only, new ones).

Names, defaults and registered buffers are those of torchaudio 2.x (functional.py, transforms/_transforms.py), so that a
checkpoint that holds `spectrogram.window` and `mel_scale.fb` loads.
"""

import importlib
import importlib.machinery
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import soundfile
import torch
from torch import Tensor

from appliance.media.resample import resample as resample_whole


def provide_torchaudio() -> bool:
    """Make `import torchaudio` and `find_spec("torchcodec")` succeed. True where torchaudio is the stand-in.

    Call it before coqui-tts is imported: that looks once.
    """
    real = _imports("torchaudio")
    if not real:
        _stand_in()
    if not _imports("torchcodec"):
        _empty("torchcodec")  # coqui-tts asks whether it is there, and loads sound through torchaudio all the same
    return not real


def _imports(name: str) -> bool:
    """Whether the real thing imports. One that was built for another torch fails with OSError or RuntimeError."""
    try:
        return getattr(importlib.import_module(name), "stands_in", None) is None
    except (ImportError, OSError, RuntimeError):
        for loaded in [module for module in sys.modules if module.partition(".")[0] == name]:
            del sys.modules[loaded]
        return False


def _empty(name: str) -> ModuleType:
    made = ModuleType(name, __doc__)
    made.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
    made.__path__ = []
    made.__dict__["stands_in"] = True
    sys.modules[name] = made
    return made


def _stand_in() -> None:
    whole, functional, transforms = (
        _empty(name) for name in ("torchaudio", "torchaudio.functional", "torchaudio.transforms")
    )
    functional.__dict__["resample"] = resample
    transforms.__dict__["MelSpectrogram"] = MelSpectrogram
    whole.__dict__.update(load=load, functional=functional, transforms=transforms)


def load(path: str | Path) -> tuple[Tensor, int]:
    """A sound file as (channels, samples), float32 in -1 … 1, and its rate in Hz. Raises soundfile.LibsndfileError."""
    samples, rate_hz = soundfile.read(str(path), dtype="float32", always_2d=True)
    return torch.from_numpy(samples.T.copy()), int(rate_hz)


def resample(waveform: Tensor, orig_freq: int, new_freq: int) -> Tensor:
    """(…, samples) at `orig_freq` Hz → (…, samples) at `new_freq` Hz, on the same device."""
    if orig_freq == new_freq:
        return waveform
    rows = waveform.detach().cpu().to(torch.float32).reshape(-1, waveform.shape[-1]).numpy()
    changed = np.stack([resample_whole(row, int(orig_freq), int(new_freq)) for row in rows])
    return torch.from_numpy(changed).reshape(*waveform.shape[:-1], -1).to(waveform.device)


class MelSpectrogram(torch.nn.Module):
    """(…, samples) → (…, n_mels, frames): centred frames, padded by reflection."""

    def __init__(
        self,
        sample_rate: int = 16_000,
        n_fft: int = 400,
        win_length: int | None = None,
        hop_length: int | None = None,
        f_min: float = 0.0,
        f_max: float | None = None,
        n_mels: int = 128,
        window_fn: Callable[[int], Tensor] = torch.hann_window,
        power: float = 2.0,
        normalized: bool = False,
        norm: str | None = None,
        mel_scale: str = "htk",
    ) -> None:
        super().__init__()
        if normalized or mel_scale != "htk":
            raise ValueError("the stand-in for torchaudio knows spectrograms on the HTK scale, not normalized")
        self.n_fft, self.power = n_fft, power
        self.win_length = win_length or n_fft
        self.hop_length = hop_length or self.win_length // 2
        self.spectrogram, self.mel_scale = torch.nn.Module(), torch.nn.Module()
        self.spectrogram.register_buffer("window", window_fn(self.win_length))
        filters = mel_filters(n_fft // 2 + 1, n_mels, f_min, f_max or sample_rate / 2, sample_rate)
        self.mel_scale.register_buffer("fb", filters * slaney_weights(f_min, f_max or sample_rate / 2, n_mels, norm))

    def forward(self, waveform: Tensor) -> Tensor:
        """See the class."""
        window, filters = self.spectrogram.get_buffer("window"), self.mel_scale.get_buffer("fb")
        rows = waveform.reshape(-1, waveform.shape[-1])
        spectrum = torch.stft(
            rows, self.n_fft, self.hop_length, self.win_length, window, pad_mode="reflect", return_complex=True
        )
        mel = filters.T @ spectrum.abs().pow(self.power)
        return mel.reshape(*waveform.shape[:-1], *mel.shape[-2:])


def mel_filters(bins: int, n_mels: int, f_min: float, f_max: float, sample_rate: int) -> Tensor:
    """(bins, n_mels) triangles that overlap by half on the HTK mel scale, each with a peak of 1."""
    frequencies = torch.linspace(0, sample_rate // 2, bins)
    corners = _corners_hz(f_min, f_max, n_mels)
    widths = corners.diff()
    slopes = corners[None] - frequencies[:, None]
    rising, falling = -slopes[:, :-2] / widths[:-1], slopes[:, 2:] / widths[1:]
    return torch.minimum(rising, falling).clamp(min=0)


def slaney_weights(f_min: float, f_max: float, n_mels: int, norm: str | None) -> Tensor:
    """(n_mels,) what makes all triangles the same area where `norm` is "slaney", else ones."""
    corners = _corners_hz(f_min, f_max, n_mels)
    return 2 / (corners[2:] - corners[:-2]) if norm == "slaney" else torch.ones(n_mels)


def _corners_hz(f_min: float, f_max: float, n_mels: int) -> Tensor:
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (f_min, f_max))
    return 700 * (10 ** (torch.linspace(float(low), float(high), n_mels + 2) / 2595) - 1)
