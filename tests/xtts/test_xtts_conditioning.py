"""Somebody's own voice for XTTS: the numbers that coqui-tts would have, enrolled on the command line, spoken with."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from checkpoints import reference

from appliance.engines.protocols import EngineError, Samples
from appliance.xtts.conditioning import Conditioner, model_name
from appliance.xtts.settings import Settings, read_settings


@pytest.fixture(scope="module")
def model(tiny: Path) -> Any:
    """Coqui's, with weights that all matter: as they are first drawn, those of the attention's output are zero."""
    model = reference(tiny)
    torch.manual_seed(5)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "conditioning_encoder" in name and "proj_out" in name:
                weight.normal_(std=0.3)
            elif "conditioning" in name or "speaker_encoder" in name:
                weight.add_(0.05 * torch.randn_like(weight))
        for name, numbers in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                numbers.add_(0.3 * torch.rand_like(numbers))
    return model


@pytest.fixture(scope="module")
def settings(tiny: Path) -> Settings:
    return replace(read_settings(tiny), conditioning_s=9, conditioning_piece_s=4, reference_s=10)


def speech(seconds: float, rate_hz: int) -> Samples:
    """Somewhat like it: tones that change, in syllables, with breath."""
    chance, times = np.random.default_rng(3), np.arange(round(seconds * rate_hz)) / rate_hz
    voiced = np.sin(2 * np.pi * (130 * times + 9 * np.sin(5 * times))) * (0.6 + 0.4 * np.sin(17 * times))
    return (0.4 * voiced + 0.02 * chance.standard_normal(len(times))).astype(np.float32)


def of_coqui(model: Any, settings: Settings, files: list[Path], equally_loud: bool) -> tuple[Samples, Samples]:
    latents, embedding = model.get_conditioning_latents(
        audio_path=files,
        max_ref_length=settings.reference_s,
        gpt_cond_len=settings.conditioning_s,
        gpt_cond_chunk_len=settings.conditioning_piece_s,
        sound_norm_refs=equally_loud,
    )
    return latents[0].numpy(), embedding.flatten().numpy()


@pytest.mark.parametrize(
    ("files_s", "rate_hz", "equally_loud"),
    [
        ([7.0], 24_000, False),  # pieces of 4 and 3 s
        ([4.2], 16_000, True),  # the second piece is too short to count
        ([10.0, 6.5], 22_050, False),  # an embedding of each file; latents of the first 9 s
    ],
)
def test_a_voice_is_what_coqui_makes_of_the_same_files(
    model: Any, settings: Settings, tmp_path: Path, files_s: list[float], rate_hz: int, equally_loud: bool
) -> None:
    samples = speech(sum(files_s), rate_hz)
    cuts = np.cumsum([round(seconds * rate_hz) for seconds in files_s])[:-1]
    files = [tmp_path / f"{number}.wav" for number in range(len(files_s))]
    for file, part in zip(files, np.split(samples, cuts), strict=True):
        soundfile.write(file, part, rate_hz, subtype="FLOAT")
    conditioner = Conditioner(model.state_dict(), replace(settings, equally_loud=equally_loud))
    voice = conditioner.condition("ana", samples, rate_hz)
    latents, embedding = of_coqui(model, settings, files, equally_loud)
    assert voice.conditioning.shape == latents.shape == (32, settings.width)
    assert np.abs(voice.conditioning - latents).max() < 1e-4 * np.abs(latents).max()
    assert np.abs(voice.speaker_embedding - embedding).max() < 1e-5
    assert np.linalg.norm(voice.speaker_embedding) == pytest.approx(1, abs=0.2)


def test_another_model_has_another_name_and_the_same_one_has_not(model: Any) -> None:
    weights = dict(model.state_dict())
    name = model_name(weights)
    assert name == model_name(dict(weights))
    weights["gpt.conditioning_perceiver.latents"] = weights["gpt.conditioning_perceiver.latents"] + 1
    assert model_name(weights) != name


def test_what_is_no_voice_is_said(model: Any, settings: Settings) -> None:
    conditioner = Conditioner(model.state_dict(), settings)
    with pytest.raises(EngineError, match=r"0\.3 s of speech are no voice"):
        conditioner.condition("ana", speech(0.3, 16_000), 16_000)
    loud = Conditioner(model.state_dict(), replace(settings, equally_loud=True))
    with pytest.raises(EngineError, match="is it silent"):
        loud.condition("ana", np.zeros(64_000, np.float32), 16_000)
