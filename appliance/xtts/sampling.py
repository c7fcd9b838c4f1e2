"""Choosing the next token of many rows at once, on the device they are on: the rules of transformers, row by row."""

from dataclasses import dataclass

import torch
from torch import Tensor

NEVER = -float("inf")
# The constants of splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014), as the
# signed numbers that torch has.
GAMMA, FIRST, SECOND = -0x61C8864680B583EB, -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15
RANDOM_BITS = 23  # so that a draw times a sum of probabilities, rounded to float32, stays below that sum


@dataclass(frozen=True, slots=True)
class Sampling:
    """How one stream's tokens are chosen. The defaults are those of coqui-tts when it streams.

    top_k 0: among all; top_k 1: always the most probable. Equal seeds give equal speech, whoever speaks beside it.
    """

    temperature: float = 0.75
    top_k: int = 50
    top_p: float = 0.85
    repetition_penalty: float = 10.0
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class SamplingRows:
    """The same as tensors, one number a row: `top_k` is at least 1, and in int64 like `seed`; `tail` is 1 - top_p."""

    temperature: Tensor
    top_k: Tensor
    tail: Tensor
    repetition_penalty: Tensor
    seed: Tensor


def rows_for(count: int, device: torch.device) -> SamplingRows:
    """Room for `count` rows, to be filled with `put`."""
    real, whole = torch.ones(3, count, device=device), torch.ones(2, count, dtype=torch.int64, device=device)
    return SamplingRows(real[0], whole[0], real[1], real[2], whole[1])


def put(rows: SamplingRows, row: int, sampling: Sampling, tokens: int) -> None:
    """Let `row` follow `sampling`; there are so many `tokens` to choose from."""
    rows.temperature[row] = sampling.temperature
    rows.top_k[row] = min(sampling.top_k or tokens, tokens)
    rows.tail[row] = 1 - sampling.top_p
    rows.repetition_penalty[row] = sampling.repetition_penalty
    rows.seed[row] = sampling.seed


def at(rows: SamplingRows, places: Tensor) -> SamplingRows:
    """Those of some rows."""
    return SamplingRows(
        rows.temperature[places],
        rows.top_k[places],
        rows.tail[places],
        rows.repetition_penalty[places],
        rows.seed[places],
    )


def scores(logits: Tensor, seen: Tensor, rows: SamplingRows) -> Tensor:
    """What is left to choose from: logits (rows, tokens) with -inf for what is not, as transformers' processors do.

    seen: (rows, tokens), whether a token was there before: what it reads before the first one counts as well, and
    coqui-tts says 1 there for every position of voice and text. Penalty, temperature, top-k and top-p, in this order.
    """
    penalty = rows.repetition_penalty[:, None]
    logits = torch.where(seen, torch.where(logits < 0, logits * penalty, logits / penalty), logits)
    logits = logits / rows.temperature[:, None]
    rising, order = torch.sort(logits, descending=False)
    smallest = rising.gather(1, (logits.shape[1] - rows.top_k)[:, None])
    rising = rising.masked_fill(rising < smallest, NEVER)
    # The sum of everything that is less probable; what lies within the tail that top-p cuts off is dropped.
    tail = rising.softmax(dim=-1).cumsum(dim=-1) <= rows.tail[:, None]
    tail[:, -1] = False
    return torch.empty_like(logits).scatter(1, order, rising.masked_fill(tail, NEVER))


def uniform(seed: Tensor, number: Tensor) -> Tensor:
    """One number in 0 … 1 for each row (float32), which depends on its seed and on its place in the row alone.

    It needs no generator, so that a recorded step can draw, and a row draws the same in any company.
    """
    state = _mixed(seed * GAMMA + GAMMA) + (number + 1) * GAMMA
    return _shifted(_mixed(state), 64 - RANDOM_BITS).float() / (1 << RANDOM_BITS)


def drawn(left: Tensor, chance: Tensor) -> Tensor:
    """A token for each row of scores, by chances in 0 … 1."""
    sums = left.softmax(dim=-1).cumsum(dim=-1)
    return (sums <= chance[:, None] * sums[:, -1:]).sum(dim=-1)


def _mixed(state: Tensor) -> Tensor:
    state = (state ^ _shifted(state, 30)) * FIRST
    state = (state ^ _shifted(state, 27)) * SECOND
    return state ^ _shifted(state, 31)


def _shifted(state: Tensor, bits: int) -> Tensor:
    """To the right, with zeros from the left: torch's own shift repeats the sign."""
    return (state >> bits) & ((1 << (64 - bits)) - 1)
