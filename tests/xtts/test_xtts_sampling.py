"""Sampling leaves what the processors of transformers leave, and draws from it as it should."""

import pytest
import torch
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from appliance.xtts.sampling import NEVER, Sampling, SamplingRows, drawn, put, rows_for, scores, uniform

TOKENS = 1026
RULES = (
    Sampling(),
    Sampling(temperature=0.2, top_k=5, top_p=0.99, repetition_penalty=2.0),
    Sampling(temperature=1.3, top_k=0, top_p=0.5),
    Sampling(temperature=1.0, top_k=900, top_p=1.0, repetition_penalty=1.0),
    Sampling(top_k=1),
    Sampling(top_k=2000, top_p=0.01),
)


def rows_of(*rules: Sampling) -> SamplingRows:
    rows = rows_for(len(rules), torch.device("cpu"))
    for row, each in enumerate(rules):
        put(rows, row, each, TOKENS)
    return rows


def processors(rules: Sampling) -> LogitsProcessorList:
    """Those that `generate` makes of these settings, in its order."""
    made = [RepetitionPenaltyLogitsProcessor(rules.repetition_penalty), TemperatureLogitsWarper(rules.temperature)]
    made += [TopKLogitsWarper(rules.top_k)] if rules.top_k else []
    made += [TopPLogitsWarper(rules.top_p)] if rules.top_p < 1 else []
    return LogitsProcessorList(made)


def test_what_is_left_is_what_transformers_leaves() -> None:
    torch.manual_seed(1)
    for spread in (0.3, 3.0, 30.0):
        logits = torch.randn(len(RULES), TOKENS) * spread
        history = torch.randint(TOKENS, (len(RULES), 60))
        seen = torch.zeros(len(RULES), TOKENS, dtype=torch.bool).scatter(1, history, True)
        ours = scores(logits.clone(), seen, rows_of(*RULES)).softmax(-1)
        for row, rules in enumerate(RULES):
            theirs = processors(rules)(history[row : row + 1], logits[row : row + 1].clone()).softmax(-1)
            assert torch.equal(ours[row : row + 1], theirs), (spread, rules)


def test_each_token_is_drawn_as_often_as_it_is_probable() -> None:
    left = torch.tensor([[1.0, NEVER, 0.5, 2.0, NEVER]])
    chances = torch.arange(0, 10_000) / 10_000
    counts = torch.bincount(drawn(left.expand(len(chances), -1), chances), minlength=5)
    assert torch.allclose(counts / len(chances), left.softmax(-1)[0], atol=2e-4)
    assert counts[1] == counts[4] == 0


@pytest.mark.parametrize("chance", [0.0, 1 - 2**-23])
def test_the_ends_of_chance_are_safe(chance: float) -> None:
    torch.manual_seed(2)
    left = torch.randn(500, TOKENS).masked_fill(torch.rand(500, TOKENS) < 0.5, NEVER)
    assert left.gather(1, drawn(left, torch.full((500,), chance))[:, None]).isfinite().all()


def test_chances_are_even_and_repeatable() -> None:
    seeds, numbers = torch.arange(200).repeat_interleave(300), torch.arange(300).repeat(200)
    chances = uniform(seeds, numbers)
    assert torch.equal(chances, uniform(seeds, numbers))
    assert len(chances.unique()) > 59_000
    assert torch.histc(chances, 20, 0, 1).sub(3000).abs().max() < 5 * 3000**0.5
    by_seed = chances.view(200, 300)
    assert abs(torch.corrcoef(torch.stack((by_seed[:-1].flatten(), by_seed[1:].flatten())))[0, 1]) < 0.02
    assert abs(torch.corrcoef(torch.stack((by_seed[:, :-1].flatten(), by_seed[:, 1:].flatten())))[0, 1]) < 0.02
