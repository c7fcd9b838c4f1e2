"""Loading XTTS v2: weights, settings, tokenizer and stock speakers as plain values, or one sentence why not.

A published folder is read without running what a pickle may ask for, a converted one holds none.
"""

import errno
import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from appliance.engines.protocols import ClonedVoice, EngineError
from appliance.xtts.folder import CONVERTED, PUBLISHED, is_converted, prove
from appliance.xtts.settings import (
    CONDITIONING_LATENTS,
    ENROLMENT_PARTS,
    GET_IT,
    SPEAKER_SIZE,
    Settings,
    expected_shapes,
    read_settings,
)
from appliance.xtts.torchaudio_stand_in import provide_torchaudio

Weights = dict[str, Tensor]

LEAST_TORCH = (2, 10)  # before that, weights_only=True could be made to run code
# Of training only, or a second name for a weight that is there already.
_NOT_NEEDED = ("torch_mel_spectrogram_style_encoder.", "torch_mel_spectrogram_dvae.", "dvae.", "gpt.gpt_inference.")
_NORMED = ((".weight_g", ".weight_v"), (".parametrizations.weight.original0", ".parametrizations.weight.original1"))
# What the published model.pth holds besides tensors, under the names of then and of now.
_CONFIG_CLASSES = (
    "TTS.tts.configs.xtts_config.XttsConfig",
    "TTS.tts.configs.xtts_config.XttsArgs",
    "TTS.tts.configs.xtts_config.XttsAudioConfig",
    "TTS.tts.models.xtts.XttsArgs",
    "TTS.tts.models.xtts.XttsAudioConfig",
    "TTS.config.shared_configs.BaseDatasetConfig",
)
_BROKEN = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


class Tokenizer(Protocol):
    """Text to tokens, as coqui-tts does it: numbers and abbreviations in words first, by language."""

    def encode(self, txt: str, lang: str) -> list[int]:
        """The tokens of `txt`, the language's own first, without the marks of start and stop."""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A model, loaded and checked. All weights are float32 on the CPU, those of the vocoder without weight norm.

    `speakers`: the stock voices by name, none where the folder has none.
    """

    settings: Settings
    weights: Mapping[str, Tensor]
    tokenizer: Tokenizer
    speakers: Mapping[str, ClonedVoice]


def load(folder: Path) -> Checkpoint:
    """Load the model in `folder`, which may be read-only, and prove that it is the right one. Raises EngineError."""
    settings = read_settings(folder)
    prove(folder)
    weights = read_weights(folder)
    check(weights, settings, folder)
    return Checkpoint(settings, weights, load_tokenizer(folder), read_speakers(folder, settings))


def read_weights(folder: Path) -> Weights:
    """All weights under the names of coqui-tts's `Xtts`, normalization folded in. Raises EngineError."""
    if is_converted(folder):
        return {name: tensor.float() for name, tensor in _read_safetensors(folder / CONVERTED[0]).items()}
    return folded(_without_training(_model_of(_read_pickle(folder / PUBLISHED[0]), folder / PUBLISHED[0])))


def read_speakers(folder: Path, settings: Settings) -> dict[str, ClonedVoice]:
    """The stock voices by name. Raises EngineError for a file that is broken or of another model."""
    path = folder / (CONVERTED if is_converted(folder) else PUBLISHED)[1]
    if not path.exists():
        return {}
    found = _converted_speakers(path) if is_converted(folder) else _published_speakers(path)
    speakers = {}
    for name, (conditioning, embedding) in found.items():
        wanted = {(CONDITIONING_LATENTS, settings.width), (SPEAKER_SIZE,)}
        if {tuple(conditioning.shape), tuple(embedding.shape)} != wanted:
            raise EngineError(f"the speakers in {path} belong to another model; get the file that belongs to this one")
        arrays = (np.ascontiguousarray(each.float().numpy(), np.float32) for each in (conditioning, embedding))
        speakers[name] = ClonedVoice(name, *arrays)
    return speakers


def check(weights: Mapping[str, Tensor], settings: Settings, folder: Path) -> None:
    """Prove that the weights are those that `settings` need. Raises EngineError."""
    expected = expected_shapes(settings)
    missing = [name for name in expected if name not in weights]
    missing += [part for part in ENROLMENT_PARTS if not any(name.startswith(part) for name in weights)]
    if missing:
        what = f"{missing[0]} and {len(missing) - 1} more weights" if missing[1:] else f"the weight {missing[0]}"
        raise EngineError(f"the model in {folder} lacks {what}; get an XTTS v2 as it was published")
    for name, shape in expected.items():
        if (found := tuple(weights[name].shape)) != shape:
            raise EngineError(
                f"in the model in {folder}, {name} is {_times(found)} instead of {_times(shape)}; "
                "its config.json and vocab.json belong to another model: get all files from one place"
            )


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of coqui-tts with the vocabulary in `folder`. Raises EngineError."""
    provide_torchaudio()
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer  # noqa: PLC0415

    try:
        tokenizer: Tokenizer = VoiceBpeTokenizer(str(folder / "vocab.json"))
    except Exception as error:  # the tokenizers library raises nothing more particular
        raise EngineError(f"{folder / 'vocab.json'} is no vocabulary ({error}); get the file again") from None
    return tokenizer


def folded(weights: Mapping[str, Tensor]) -> Weights:
    """Every weight as float32, and each normalized one as what it stands for: g · v / |v|.

    The norm is over all dimensions but the first (torch.nn.utils.parametrizations.weight_norm).
    """
    plain = {name: tensor.float() for name, tensor in weights.items() if not _is_half(name)}
    for length, direction in _NORMED:
        for name in [name for name in weights if name.endswith(direction)]:
            stem = name.removesuffix(direction)
            if stem + length in weights:
                v, g = weights[name].float(), weights[stem + length].float()
                plain[f"{stem}.weight"] = g * v / v.flatten(1).norm(dim=1).reshape(-1, *(1,) * (v.dim() - 1))
    return plain


def _is_half(name: str) -> bool:
    return any(name.endswith(half) for pair in _NORMED for half in pair)


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _without_training(weights: Mapping[str, Any]) -> dict[str, Any]:
    named = {name.removeprefix("xtts."): tensor for name, tensor in weights.items()}  # coqui's trainer adds that
    return {name: tensor for name, tensor in named.items() if not name.startswith(_NOT_NEEDED)}


def _model_of(content: Any, path: Path) -> dict[str, Tensor]:
    model = content.get("model") if isinstance(content, dict) else None
    if not isinstance(model, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in model.values()):
        raise EngineError(f"{path} holds no weights of XTTS v2; get the file again")
    return model


def _published_speakers(path: Path) -> dict[str, tuple[Tensor, Tensor]]:
    content = _read_pickle(path)
    try:
        return {
            name: (one["gpt_cond_latent"].squeeze(0), one["speaker_embedding"].flatten())
            for name, one in content.items()
        }
    except _BROKEN:
        raise EngineError(f"{path} holds no speakers of XTTS v2; get the file again") from None


def _converted_speakers(path: Path) -> dict[str, tuple[Tensor, Tensor]]:
    found = _read_safetensors(path)
    names = dict.fromkeys(name.rpartition("/")[0] for name in found)
    try:
        return {name: (found[f"{name}/conditioning"], found[f"{name}/embedding"]) for name in names}
    except KeyError as error:
        raise EngineError(f"{path} lacks {error}; convert the model again") from None


def _read_pickle(path: Path) -> Any:
    """Tensors, numbers, texts, lists and dictionaries; nothing in the file is run. Raises EngineError."""
    if _torch_version() < LEAST_TORCH:
        least = ".".join(map(str, LEAST_TORCH))
        raise EngineError(f"torch {torch.__version__} opens {path} unsafely; install {least} or newer")
    try:
        with _inert_config_classes():
            return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, *_BROKEN) as error:
        # A file that is cut off makes torch seek to before its beginning: EINVAL.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise EngineError(f"model file {path} cannot be read ({error.strerror}); {GET_IT}") from None
        raise EngineError(
            f"model file {path} is cut off, or is no file of tensors ({_first_line(error)}); get it again"
        ) from None


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError  # noqa: PLC0415
    from safetensors.torch import load_file  # noqa: PLC0415

    try:
        tensors: dict[str, Tensor] = load_file(path)
    except OSError as error:
        raise EngineError(f"model file {path} cannot be read ({error.strerror or error}); convert it again") from None
    except SafetensorError as error:
        raise EngineError(
            f"model file {path} is cut off, or is no safetensors file ({_first_line(error)}); convert it again"
        ) from None
    return tensors


@contextmanager
def _inert_config_classes() -> Iterator[None]:
    """Let the reader take coqui-tts's configuration objects for empty ones that can do nothing, and are thrown away."""
    allowed: list[Any] = [(type(name.rpartition(".")[2], (), {}), name) for name in _CONFIG_CLASSES]
    with torch.serialization.safe_globals(allowed):
        yield


def _torch_version() -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", torch.__version__)[:2])


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120].rstrip(".")
