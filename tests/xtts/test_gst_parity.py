"""The GST style encoder in numpy against coqui-tts itself, with random weights that torch has saved."""

import json
from collections import defaultdict

import numpy as np
import pytest
import torch
from gst_folder import AUDIO, weights, write_folder

from appliance.voices.gst import Gst
from appliance.voices.profile import STYLE_SLOT
from appliance.xtts.torchaudio_stand_in import provide_torchaudio

SIZES = [(64, 4, 10), (256, 4, 10), (512, 4, 10), (32, 2, 40)]
SETTINGS = {
    "as published": {},
    "decibels": {"log_func": "np.log10", "spec_gain": 20.0, "ref_level_db": 20, "mel_fmin": 0.0, "mel_fmax": None},
    "pre-emphasis, no symmetry": {"preemphasis": 0.97, "symmetric_norm": False, "clip_norm": False, "max_norm": 1.0},
    "no norm, short windows": {"signal_norm": False, "win_length": 800, "hop_length": 200, "stft_pad_mode": "constant"},
}


@pytest.fixture(scope="module")
def coqui():
    """Its network of some width, heads and tokens, and its mel bands of a folder's settings."""
    provide_torchaudio()
    from TTS.config.shared_configs import BaseAudioConfig  # noqa: PLC0415
    from TTS.tts.layers.tacotron.gst_layers import GST  # noqa: PLC0415
    from TTS.utils.audio import AudioProcessor  # noqa: PLC0415

    def network(width, heads, tokens):
        made = GST(80, heads, tokens, width).eval()
        made.load_state_dict({name: torch.tensor(one) for name, one in weights(width, heads, tokens).items()})
        return made

    return network, lambda **audio: AudioProcessor(BaseAudioConfig(**audio))


@pytest.fixture(scope="module")
def sound():
    """5 s that swell and fade."""
    chance, samples = np.random.default_rng(1), 5 * AUDIO["sample_rate"]
    return (chance.normal(0, 0.1, samples) * np.abs(np.sin(np.arange(samples) / 9000))).astype(np.float32)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_the_mel_bands_are_those_of_coqui(coqui, sound, tmp_path, settings):
    ours = Gst(write_folder(tmp_path / "gst", **settings)).audio.mels(sound)
    theirs = coqui[1](**AUDIO | settings).melspectrogram(sound)
    np.testing.assert_allclose(ours, theirs.T, atol=1e-4)


def test_bands_are_normed_by_the_statistics_of_training(coqui, sound, tmp_path):
    chance = np.random.default_rng(2)
    mean, deviation = chance.normal(-5, 1, 80), chance.uniform(1, 3, 80).astype(np.float32)
    stats = {"mel_mean": mean, "mel_std": deviation, "linear_mean": mean, "linear_std": mean}
    stats["audio_config"] = {"sample_rate": 22050, "spec_gain": np.float64(1.0)}
    folder = write_folder(tmp_path / "gst", stats_path="/home/somebody/scale_stats.npy")
    np.save(folder / "scale_stats.npy", stats, allow_pickle=True)
    theirs = coqui[1](**AUDIO | {"stats_path": str(folder / "scale_stats.npy")}).melspectrogram(sound)
    np.testing.assert_allclose(Gst(folder).audio.mels(sound), theirs.T, atol=1e-4)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_embedding_is_that_of_coqui(coqui, sound, tmp_path, size):
    ours = Gst(write_folder(tmp_path / "gst", weights(*size)))
    mels = ours.audio.mels(sound)
    with torch.no_grad():
        theirs = coqui[0](*size)(torch.tensor(mels)[None])[0, 0].numpy()
    assert np.abs(theirs).max() > 0.05, "it says something"
    np.testing.assert_allclose(ours.embedded(mels), theirs, atol=1e-4)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_in_64_numbers_all_styles_are_as_far_apart_as_with_coqui(coqui, tmp_path, size):
    ours = Gst(write_folder(tmp_path / "gst", weights(*size)))
    chance = np.random.default_rng(3)
    one, other = (chance.normal(0, gain, (120, 80)).astype(np.float32) for gain in (0.5, 2))
    with torch.no_grad():
        theirs = [coqui[0](*size)(torch.tensor(each)[None])[0, 0].numpy() for each in (one, other)]
    told = [ours.coordinates(each) for each in (one, other)]
    assert all(len(each) == ours.width <= STYLE_SLOT for each in told)
    apart = float(np.linalg.norm(theirs[0] - theirs[1]))
    assert apart > 0.05
    assert np.linalg.norm(told[0] - told[1]) == pytest.approx(apart, rel=1e-4)


def test_a_checkpoint_as_coqui_saves_it_is_read_without_what_else_is_in_it(coqui, sound, tmp_path):
    network = coqui[0](64, 4, 10)
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.zeros(1, 80, 80)).sum().backward()
    optimizer.step()
    folder = write_folder(tmp_path / "gst")
    state = {
        "config": json.loads((folder / "config.json").read_text()),
        "model": {f"gst_layer.{name}": one for name, one in coqui[0](64, 4, 10).state_dict().items()},
        "optimizer": optimizer.state_dict(),
        "half": torch.zeros(3, dtype=torch.float16),
        "model_loss": {"train_loss": np.float64(0.5), "eval_loss": defaultdict(list, one=[torch.device("cpu")])},
        "step": 7,
    }
    before = Gst(folder)
    torch.save(state, folder / "model_file.pth")
    after = Gst(folder)
    mels = after.audio.mels(sound)
    np.testing.assert_array_equal(after.embedded(mels), before.embedded(mels))
    assert after.model == before.model, "packed in another way, it is the same model"
