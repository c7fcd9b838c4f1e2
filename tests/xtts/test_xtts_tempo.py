"""The speed of speech: what comes piece by piece is what coqui-tts makes of the whole."""

import pytest
import torch
from torch.nn import functional

from appliance.xtts.tempo import Tempo


def whole(latents: torch.Tensor, speed: float) -> torch.Tensor:
    """As coqui-tts stretches the latents of a text that is there as a whole."""
    return functional.interpolate(latents.T[None], scale_factor=1 / speed, mode="linear")[0].T


def in_pieces(latents: torch.Tensor, tempo: Tempo, sizes: list[int]) -> torch.Tensor:
    told = [tempo.feed(piece) for piece in latents.split(sizes)]
    return torch.cat((*told, tempo.feed(latents[:0], is_last=True)))


@pytest.mark.parametrize("speed", [0.7, 0.9, 1.0, 1.1, 1.25, 1.9, 2.6])
@pytest.mark.parametrize("sizes", [[40], [6, 1, 9, 24], [1] * 40, [12]])
def test_piece_by_piece_it_is_as_coqui_has_it(speed: float, sizes: list[int]) -> None:
    torch.manual_seed(3)
    latents = torch.randn(sum(sizes), 8)
    assert torch.allclose(in_pieces(latents, Tempo(speed), sizes), whole(latents, speed), atol=1e-5)


def test_at_its_own_speed_nothing_is_kept_back_or_changed() -> None:
    latents, tempo = torch.randn(7, 8), Tempo()
    assert torch.equal(tempo.feed(latents[:3]), latents[:3])
    assert torch.equal(tempo.feed(latents[3:]), latents[3:])


def test_it_changes_while_somebody_speaks() -> None:
    line, tempo = torch.arange(200.0)[:, None], Tempo()
    slow = tempo.feed(line[:100])
    tempo.speed = 1.25
    fast = tempo.feed(line[100:], is_last=True)
    assert len(slow) + len(fast) == 100 + 80
    steps = torch.cat((slow, fast)).diff(dim=0)
    assert set(steps.flatten().tolist()) == {1.0, 1.25}  # no jump where it changes
