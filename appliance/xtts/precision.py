"""What the model is computed in, where nobody says: the fastest that the device has units for."""

import torch

from appliance.xtts.gpt import Precision


def best_precision(kind: str) -> Precision:
    """Of a "cuda" or a "cpu".

    bfloat16 halves what a step reads, and where a CPU has units for it, the vocoder, which is most of the work, is
    three times as fast; where it has none, it is slower than float32.
    """
    if kind == "cuda":
        return "float16"
    able = torch.cpu.get_capabilities()
    return "bfloat16" if able.get("amx_bf16") or able.get("avx512_bf16") else "float32"


def vocoder_dtype(precision: Precision) -> torch.dtype:
    """What sound is made in beside a language model in `precision`: whole numbers are too coarse for sound."""
    beside = best_precision("cpu") if precision == "int8" else precision
    return torch.float32 if beside == "float32" else torch.float16
