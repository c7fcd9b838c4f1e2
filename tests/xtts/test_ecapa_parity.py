"""ECAPA-TDNN in numpy against SpeechBrain itself, with random weights that torch has saved."""

import sys

import numpy as np
import pytest
import torch
from ecapa_folder import AGGREGATED, ATTENTION, CHANNELS, SQUEEZED, WIDTH, weights, write_folder

from appliance.voices.checkpoint import read_tensors
from appliance.voices.ecapa import Ecapa, features
from appliance.xtts.torchaudio_stand_in import provide_torchaudio

RATE_HZ = 16_000
PUBLISHED = {"channels": [1024, 1024, 1024, 1024, 3072], "attention_channels": 128, "se_channels": 128}
SMALL = {"channels": [CHANNELS] * 4 + [AGGREGATED], "attention_channels": ATTENTION, "se_channels": SQUEEZED}


@pytest.fixture(scope="module")
def original():
    """SpeechBrain's features and network as hyperparams.yaml puts them together; `sizes` are the network's."""
    provide_torchaudio()  # it insists on one
    from speechbrain.lobes.features import Fbank  # noqa: PLC0415
    from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN  # noqa: PLC0415
    from speechbrain.processing.features import InputNormalization  # noqa: PLC0415
    from speechbrain.utils.importutils import LazyModule  # noqa: PLC0415

    # They raise at whoever looks at them, and hypothesis looks at all modules there are.
    for name in [name for name, module in sys.modules.items() if isinstance(module, LazyModule)]:
        del sys.modules[name]
    fbank, mean_norm = Fbank(n_mels=80), InputNormalization(norm_type="sentence", std_norm=False)

    def hear(samples):
        return mean_norm(fbank(torch.tensor(samples)[None]), torch.ones(1))

    def network(sizes):
        torch.manual_seed(1)
        return ECAPA_TDNN(80, lin_neurons=WIDTH, **sizes).eval()

    return hear, network


@pytest.fixture(scope="module")
def sound():
    chance = np.random.default_rng(1)
    swell = np.abs(np.sin(np.arange(3 * RATE_HZ) / 3000))
    return (chance.normal(0, 0.1, 3 * RATE_HZ) * swell).astype(np.float32)


def embedded(network, heard):
    with torch.no_grad():
        vector = network(heard, torch.ones(1))[0, 0].numpy()
    return vector / np.linalg.norm(vector)


def test_features_are_those_of_speechbrain(original, sound):
    hear, _ = original
    np.testing.assert_allclose(features(sound), hear(sound)[0].numpy().T, atol=1e-3)  # of 80 dB


def test_a_small_network_that_was_written_without_torch_is_the_same_for_both(original, sound, tmp_path):
    hear, network = original
    there = network(SMALL)
    there.load_state_dict({name: torch.tensor(numbers) for name, numbers in weights().items()})
    [ours] = Ecapa(write_folder(tmp_path / "ecapa")).partials(sound)
    np.testing.assert_allclose(ours, embedded(there, hear(sound)), atol=2e-6)


def test_a_network_of_the_published_size_that_torch_has_saved_gives_what_speechbrain_gives(original, sound, tmp_path):
    hear, network = original
    there = network(PUBLISHED)
    with torch.no_grad():
        for name, numbers in there.state_dict().items():
            if name.endswith("running_mean"):
                numbers.normal_(0, 0.3)
            elif name.endswith("running_var"):
                numbers.uniform_(0.5, 2)
    folder = write_folder(tmp_path / "ecapa")
    torch.save(there.state_dict(), folder / "embedding_model.ckpt")
    [ours] = Ecapa(folder).partials(sound)
    assert ours.shape == (192,)
    np.testing.assert_allclose(ours, embedded(there, hear(sound)), atol=2e-6)


@pytest.mark.parametrize("is_zip", [True, False], ids=["torch 1.6 and later", "before"])
def test_a_checkpoint_of_torch_is_read_without_torch(tmp_path, is_zip):
    tensors = {"one": torch.arange(12.0).reshape(3, 4).T, "two": torch.zeros(3)[1:]}  # views, as torch keeps them
    if is_zip:
        tensors["count"] = torch.tensor(7)
    torch.save(tensors, tmp_path / "some.ckpt", _use_new_zipfile_serialization=is_zip)
    found = read_tensors(tmp_path / "some.ckpt")
    assert found.keys() == {"one", "two"}
    for name, numbers in found.items():
        np.testing.assert_array_equal(numbers, tensors[name].numpy())
