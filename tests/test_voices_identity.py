"""Whose voice it is: the encoder, the file its weights are in, and people told from each other."""

import io
import os
import pickle
import shutil
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import prompt
from speakers import people, synthesizers

from appliance.engines.model_files import manifest, verified_folder
from appliance.engines.protocols import EngineError
from appliance.voices import resemblyzer
from appliance.voices.checkpoint import MAGIC, PROTOCOL, NotACheckpoint, read_tensors
from appliance.voices.identity import least_alike, likeness, load_encoder, mean_voice, verdict
from appliance.voices.profile import IDENTITY_SLOT
from appliance.voices.resemblyzer import MODEL, RATE_HZ, WIDTH, Resemblyzer, clean_speech, partial_starts

HEAD_BYTES = 6675  # of the weights' file: all its pickles


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return load_encoder(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return verified_folder(manifest()[MODEL], tmp_path_factory.mktemp("cache")) / "pretrained.pt"


def test_it_gives_what_the_original_gives(encoder):
    """The figures are those of Resemblyzer 0.1.4 with torch 2.15 and librosa 0.11, for the same sound."""
    times = np.arange(48_000) / 16_000
    sweep = 120 * times + 15 * np.sin(2 * np.pi * times) / np.pi
    sound = sum(np.sin(2 * np.pi * n * sweep) / n for n in range(1, 30)) * 0.02 * (1.2 + np.sin(6 * np.pi * times))
    partials = encoder.partials(sound.astype(np.float32))
    voice = mean_voice(partials)
    assert partials.shape == (3, WIDTH)
    greatest = np.argsort(-voice)[:8]
    assert greatest.tolist() == [246, 247, 87, 182, 126, 189, 24, 89]
    expected = [0.25904, 0.2136, 0.16155, 0.15592, 0.15416, 0.15352, 0.15286, 0.1517]
    np.testing.assert_allclose(voice[greatest], expected, atol=2e-5)


@pytest.fixture(scope="module")
def voices(encoder):
    """The partials of each recording of some people and synthesizers."""
    return {
        name: [encoder.partials(clean_speech(one, RATE_HZ)) for one in recordings]
        for name, recordings in (*people(), *synthesizers())
    }


def test_a_voice_is_more_like_itself_than_like_any_other(voices):
    """People against each other and against synthetic voices: the least alike parts of one, and any two as a whole."""
    assert set(voices) >= {"Allison", "piper", "kokoro"}
    same = {name: least_alike(recordings).cosine for name, recordings in voices.items()}
    assert all(verdict(cosine) == "same" for cosine in same.values()), same
    for one, other in combinations(voices, 2):
        across = likeness(*(mean_voice(np.concatenate(voices[name])) for name in (one, other)))
        assert verdict(across) == "other", (one, other, across)
        assert across < min(same.values()), (one, other, across)


def test_a_second_speaker_is_found_wherever_he_is(voices):
    hers, his = voices["Allison"], np.concatenate(voices["piper"])
    one_of_many = least_alike([*hers[:4], his, *hers[4:]])
    assert (verdict(one_of_many.cosine), one_of_many.rarer_in) == ("other", (4,))
    assert least_alike(hers).cosine > one_of_many.cosine + 0.2


def test_a_single_stretch_is_like_itself(encoder):
    assert least_alike([encoder.partials(np.zeros(16_000, np.float32))]).cosine == 1.0


def test_the_level_and_the_silence_of_a_recording_say_nothing(encoder):
    first = prompt("vm-review")
    apart = np.concatenate((np.zeros(16_000), first * 0.05, np.zeros(32_000)))
    one, other = (mean_voice(encoder.partials(clean_speech(each, RATE_HZ))) for each in (first * 0.1, apart))
    assert likeness(one, other) > 0.97


def test_silence_has_no_speech():
    assert len(clean_speech(np.zeros(RATE_HZ, np.float32), RATE_HZ)) == 0


@given(st.integers(0, 16_000 * 60))
def test_partials_cover_what_is_spoken(samples):
    starts = partial_starts(samples)
    assert starts[0] == 0
    assert all(later - earlier <= resemblyzer.PARTIAL_FRAMES for earlier, later in pairwise(starts))
    unheard = samples / 160 - (starts[-1] + resemblyzer.PARTIAL_FRAMES)
    assert unheard <= resemblyzer.PARTIAL_FRAMES * 0.75


def test_without_a_folder_of_another_one_it_is_the_encoder(encoder):
    assert (encoder.model, encoder.width) == (MODEL, WIDTH)
    assert encoder.width <= IDENTITY_SLOT


# The file of weights


def test_the_weights_have_the_shapes_of_the_network(weights):
    tensors = read_tensors(weights, "model_state")
    assert tensors["lstm.weight_ih_l0"].shape == (1024, 40)
    assert tensors["lstm.weight_hh_l2"].shape == (1024, 256)
    assert tensors["linear.weight"].shape == (256, 256)


class Hostile:
    """What runs a command when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("place", range(4))
def test_a_pickle_that_wants_to_run_something_is_refused(tmp_path, place):
    trace = tmp_path / "it ran"
    parts = [MAGIC, PROTOCOL, {}, {"model_state": {}}]
    parts[place] = Hostile(trace)
    file = io.BytesIO()
    for part in parts:
        pickle.dump(part, file, 2)
    (tmp_path / "weights.pt").write_bytes(file.getvalue())
    with pytest.raises(NotACheckpoint, match="mkdir"):
        read_tensors(tmp_path / "weights.pt", "model_state")
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", bytes(100)], ids=["empty", "zip", "zeros"])
def test_what_is_no_checkpoint_is_refused(tmp_path, content):
    (tmp_path / "weights.pt").write_bytes(content)
    with pytest.raises(NotACheckpoint):
        read_tensors(tmp_path / "weights.pt", "model_state")


def test_half_a_checkpoint_is_refused(tmp_path, weights):
    (tmp_path / "half.pt").write_bytes(weights.read_bytes()[:9_000_000])
    with pytest.raises(NotACheckpoint):
        read_tensors(tmp_path / "half.pt", "model_state")


@settings(max_examples=60, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, HEAD_BYTES), st.integers(0, 255)), min_size=1, max_size=3))
def test_a_forged_checkpoint_gives_numbers_or_is_refused(tmp_path_factory, weights, changes):
    content = bytearray(weights.read_bytes()[: HEAD_BYTES + 200_000])
    for place, byte in changes:
        content[place] = byte
    forged: Path = tmp_path_factory.mktemp("forged") / "weights.pt"
    forged.write_bytes(content)
    with pytest.raises(NotACheckpoint):  # it is too short, whatever it says
        read_tensors(forged, "model_state")


def test_altered_weights_are_not_loaded(tmp_path, weights, monkeypatch):
    package = tmp_path / "resemblyzer"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('nothing of the package is run')")
    shutil.copyfile(weights, package / "pretrained.pt")
    monkeypatch.syspath_prepend(tmp_path)
    Resemblyzer(tmp_path)
    with (package / "pretrained.pt").open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"x")
    with pytest.raises(EngineError, match=r"has been altered"):
        Resemblyzer(tmp_path)
