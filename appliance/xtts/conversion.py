"""Converting a published XTTS v2 into a folder without pickles, complete and listed, or not there at all."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file

from appliance.engines.protocols import ClonedVoice, EngineError
from appliance.xtts.checkpoint import load
from appliance.xtts.folder import COMMON, CONVERTED, LICENCE, SUMS, is_converted, sha256, write_sums


def convert(published: Path, target: Path, tell: Callable[[str], None] = lambda _step: None) -> Path:
    """Write the model in `published` to `target`, a new folder, and return it.

    The weights are float32 and have the names that coqui-tts gives them, without weight norm. The licence's text goes
    with them. `tell` is told each step. Raises EngineError.
    """
    if is_converted(published):
        raise EngineError(f"the model in {published} is converted already; name a folder with model.pth")
    if target.exists():
        raise EngineError(f"{target} is there already; name a new folder, or delete that one")
    tell("checking the files")
    checkpoint = load(published)
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        fresh.mkdir(parents=True)
        tell("writing the weights")
        for content, name in zip((checkpoint.weights, _flat(checkpoint.speakers)), CONVERTED, strict=True):
            save_file({key: tensor.contiguous().clone() for key, tensor in content.items()}, fresh / name)
        for name in (*COMMON, LICENCE):
            if (published / name).exists():
                shutil.copyfile(published / name, fresh / name)
        tell("listing the files")
        write_sums(fresh / SUMS, {file.name: sha256(file) for file in sorted(fresh.iterdir())})
        fresh.rename(target)
    except OSError as error:
        raise EngineError(f"the converted model cannot be written to {target}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target


def _flat(speakers: Mapping[str, ClonedVoice]) -> dict[str, torch.Tensor]:
    flat = {}
    for name, voice in speakers.items():
        flat[f"{name}/conditioning"] = torch.from_numpy(voice.conditioning)
        flat[f"{name}/embedding"] = torch.from_numpy(voice.speaker_embedding)
    return flat
