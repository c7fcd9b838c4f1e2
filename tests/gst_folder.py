"""A folder with a Tacotron 2 of coqui-tts that has style tokens; the weights of its style encoder are random."""

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
from ecapa_folder import checkpoint

BANDS, FILTERS = 80, (1, 32, 32, 64, 64, 128, 128)
AUDIO = {
    "sample_rate": 22050,
    "fft_size": 1024,
    "win_length": 1024,
    "hop_length": 256,
    "num_mels": BANDS,
    "mel_fmin": 50.0,
    "mel_fmax": 7600.0,
    "spec_gain": 1.0,
    "log_func": "np.log",
    "preemphasis": 0.0,
    "signal_norm": True,
    "min_level_db": -100,
    "ref_level_db": 0,
    "symmetric_norm": True,
    "max_norm": 4.0,
    "clip_norm": True,
    "stats_path": None,
}


def weights(width: int = 64, heads: int = 4, tokens: int = 10) -> dict[str, np.ndarray]:
    """The tensors of GST by their names in coqui-tts, of its initial sizes."""
    chance = np.random.default_rng(1)
    half = width // 2
    made: dict[str, np.ndarray] = {}

    def dense(name: str, *shape: int) -> None:
        made[name] = chance.normal(0, np.prod(shape[1:]) ** -0.5, shape).astype("<f4")

    for layer, (ins, outs) in enumerate(pairwise(FILTERS)):
        dense(f"encoder.convs.{layer}.weight", outs, ins, 3, 3)
        made[f"encoder.convs.{layer}.bias"] = chance.normal(0, 0.1, outs).astype("<f4")
        for part, low, high in (
            ("weight", 0.5, 1.5),
            ("bias", -0.2, 0.2),
            ("running_mean", -0.3, 0.3),
            ("running_var", 0.5, 2),
        ):
            made[f"encoder.bns.{layer}.{part}"] = chance.uniform(low, high, outs).astype("<f4")
        made[f"encoder.bns.{layer}.num_batches_tracked"] = np.array(7, "<i8")
    dense("encoder.recurrence.weight_ih_l0", 3 * half, FILTERS[-1] * 2)
    dense("encoder.recurrence.weight_hh_l0", 3 * half, half)
    for name in ("bias_ih_l0", "bias_hh_l0"):
        made[f"encoder.recurrence.{name}"] = chance.normal(0, 0.1, 3 * half).astype("<f4")
    made["style_token_layer.style_tokens"] = chance.normal(0, 0.5, (tokens, width // heads)).astype("<f4")
    for name, ins in (("query", half), ("key", width // heads), ("value", width // heads)):
        made[f"style_token_layer.attention.W_{name}.weight"] = chance.normal(0, 1, (width, ins)).astype("<f4")
    return made


def write_folder(
    folder: Path, state: Mapping[str, object] | None = None, rest: Mapping[str, object] | None = None, **audio: object
) -> Path:
    """Write it, and return it. `rest`: what else is in the checkpoint; `audio`: what config.json says otherwise."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"use_gst": True, "audio": AUDIO | audio}))
    named = {f"gst_layer.{name}": one for name, one in (weights() if state is None else state).items()}
    others = {"decoder.stopnet.weight": np.zeros((2, 3), "<f4")}
    content = {"model": others | named, "step": 7, **(rest or {})}
    (folder / "model_file.pth").write_bytes(checkpoint(content))
    return folder
