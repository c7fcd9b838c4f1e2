"""ECAPA-TDNN from a published folder: the numbers that SpeechBrain gives, and what is no such folder."""

import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from ecapa_folder import SETTINGS, WIDTH, weights, write_folder
from recordings import prompt
from speakers import PROMPTS

from appliance.config import Config
from appliance.doctor.voices import IDENTITY, examine
from appliance.engines.protocols import EngineError
from appliance.explanation import explain
from appliance.voices.comparison import compare
from appliance.voices.consent import Consent
from appliance.voices.ecapa import features
from appliance.voices.enrolment import Wish, enrol
from appliance.voices.errors import VoiceError
from appliance.voices.identity import load_encoder, verdict
from appliance.voices.intake import Recording
from appliance.voices.outdated import Models, outdated
from appliance.voices.profile import IDENTITY_SLOT
from appliance.voices.prosody import MODEL as PROSODY
from appliance.voices.scales import ECAPA, RESEMBLYZER

RATE_HZ = 16_000
NOWHERE = Path("/nowhere")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("spkrec-ecapa-voxceleb"))


@pytest.fixture(scope="module")
def encoder(folder):
    return load_encoder(NOWHERE, str(folder))


def sweep(seconds):
    """A sound that everybody can make alike."""
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    rising = 120 * times + 15 * np.sin(2 * np.pi * times) / np.pi
    sound = sum(np.sin(2 * np.pi * n * rising) / n for n in range(1, 30)) * 0.02 * (1.2 + np.sin(6 * np.pi * times))
    return sound.astype(np.float32)


def test_it_gives_what_speechbrain_gives(encoder):
    """The figures are those of speechbrain 1.1.2 with torch 2.13, for the same weights and the same sound."""
    [voice] = encoder.partials(sweep(3))
    greatest = np.argsort(-voice)[:6]
    assert greatest.tolist() == [37, 171, 168, 134, 140, 141]
    expected = [0.191955, 0.173839, 0.148645, 0.147726, 0.129717, 0.12367]
    np.testing.assert_allclose(voice[greatest], expected, atol=2e-6)


@pytest.mark.parametrize(("seconds", "partials"), [(0, 1), (0.2, 1), (3, 1), (3.7, 1), (3.8, 2), (4.5, 2), (12, 7)])
def test_there_is_a_partial_of_3_s_every_second_and_a_half(encoder, seconds, partials):
    shares = []
    made = encoder.partials(sweep(seconds), shares.append)
    assert made.shape == (partials, WIDTH)
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_no_speech_at_all_is_a_number(encoder):
    assert np.isfinite(encoder.partials(np.zeros(RATE_HZ, np.float32))).all()
    assert np.isfinite(features(np.zeros(RATE_HZ, np.float32))).all()


def test_a_voice_is_enrolled_with_it_and_its_true_width_is_kept(encoder):
    said = [Recording(f"{name}.wav", RATE_HZ, 1, prompt(name)) for name in PROMPTS]
    wish = Wish("Allison", Consent("Allison", datetime.now(UTC), "I agree."))
    profile = enrol(said, wish, encoder, datetime.now(UTC), needed_s=30).profile
    assert (profile.identity.model, profile.identity.width) == (encoder.model, 192)
    assert profile.identity.vector.shape == (IDENTITY_SLOT,)
    assert not profile.identity.vector.numbers()[WIDTH:].any()
    assert compare(profile, said[:1], encoder).together.similarity > 0.9


def test_its_likenesses_are_read_by_another_scale():
    assert (verdict(0.5, RESEMBLYZER), verdict(0.5, ECAPA), verdict(0.2, ECAPA)) == ("other", "same", "other")


def without(key):
    return {name: value for name, value in weights().items() if name != key}


def changed(key, value):
    return weights() | {key: value}


@pytest.mark.parametrize(
    ("state", "settings", "sentence"),
    [
        (
            without("mfa.conv.conv.weight"),
            SETTINGS,
            "another model than .*: 'mfa.conv.conv.weight'; download it",
        ),
        (changed("blocks.0.conv.conv.weight", np.zeros((16, 40, 5), "<f4")), SETTINGS, "is another model than"),
        (changed("fc.conv.weight", np.zeros((512, 96, 1), "<f4")), SETTINGS, "is another model than"),
        (changed("fc.conv.bias", np.full(WIDTH, np.nan, "<f4")), SETTINGS, "some of its weights are no numbers"),
        (
            {"weights": "of another kind"},
            SETTINGS,
            r"cannot be used: it holds more or less than tensors \(some",
        ),
        (
            None,
            SETTINGS.replace("n_mels: 80", "n_mels: 24"),
            "hyperparams.yaml: n_mels is 24 and not 80; only models",
        ),
        (None, SETTINGS.replace("[1, 2, 3, 4, 1]", "[1, 1, 1, 1, 1]"), r"dilations is \[1, 1, 1, 1, 1\] and not"),
    ],
    ids=["a layer less", "other features", "too wide", "no numbers", "no tensors", "other settings", "other dilations"],
)
def test_another_model_is_refused_in_a_sentence(tmp_path, state, settings, sentence):
    refused(write_folder(tmp_path / "ecapa", state, settings), sentence)


def refused(folder, sentence):
    with pytest.raises(EngineError) as error:
        load_encoder(NOWHERE, str(folder))
    assert re.search(sentence, str(error.value)), error.value
    assert len(str(error.value).splitlines()) == 1


def test_what_is_missing_is_named(tmp_path):
    refused(tmp_path / "ecapa", "ecapa has no hyperparams.yaml that can be read; put all files of speechbrain/spkrec")
    write_folder(tmp_path / "ecapa")
    (tmp_path / "ecapa" / "embedding_model.ckpt").unlink()
    refused(tmp_path / "ecapa", "embedding_model.ckpt cannot be read: No such file or directory; put all files")


@pytest.mark.parametrize(
    ("share", "sentence"),
    [(0, "not saved|less than tensors"), (0.3, "its end is missing"), (0.999, "its end is missing")],
)
def test_half_a_download_is_refused(tmp_path, folder, share, sentence):
    whole = (folder / "embedding_model.ckpt").read_bytes()
    write_folder(tmp_path / "ecapa")
    (tmp_path / "ecapa" / "embedding_model.ckpt").write_bytes(whole[: int(len(whole) * share)])
    refused(tmp_path / "ecapa", f"cannot be used: .*({sentence}).*; download it again")


def test_a_byte_that_fell_over_is_noticed(tmp_path, folder):
    whole = bytearray((folder / "embedding_model.ckpt").read_bytes())
    whole[whole.index(weights()["fc.conv.weight"].tobytes())] ^= 1
    write_folder(tmp_path / "ecapa")
    (tmp_path / "ecapa" / "embedding_model.ckpt").write_bytes(whole)
    refused(tmp_path / "ecapa", "cannot be used: .*CRC")


class Hostile:
    """Runs something when a careless reader loads it."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.mkdir, (self.trace,)


def test_a_pickle_that_wants_to_run_something_is_refused(tmp_path):
    folder = write_folder(tmp_path / "ecapa", weights() | {"hostile": Hostile(tmp_path / "it ran")})
    refused(folder, r"it asks for \w+\.\w+")
    assert not (tmp_path / "it ran").exists()


def test_every_checkpoint_has_a_name_of_its_own_and_is_not_compared_with_another(encoder, tmp_path):
    assert re.fullmatch("ecapa-tdnn-[0-9a-f]{8}", encoder.model)
    assert load_encoder(NOWHERE, str(write_folder(tmp_path / "same"))).model == encoder.model
    other = load_encoder(NOWHERE, str(write_folder(tmp_path / "other", changed("fc.conv.bias", np.ones(WIDTH, "<f4")))))
    assert other.model != encoder.model
    said = [Recording(f"{name}.wav", RATE_HZ, 1, prompt(name)) for name in PROMPTS]
    wish = Wish("Allison", Consent("Allison", datetime.now(UTC), "I agree."))
    profile = enrol(said, wish, encoder, datetime.now(UTC), needed_s=30).profile
    sentence = f"enrolled with {encoder.model}, which cannot be compared with {other.model}; enrol it again"
    with pytest.raises(VoiceError, match=sentence):
        compare(profile, said[:1], other)
    assert outdated(profile, Models(encoder.model, (PROSODY,))) == ""
    told = outdated(profile, Models(other.model, (PROSODY,)))
    assert told.startswith(
        f"Allison was enrolled with {encoder.model}, and is not found by likeness with {other.model};"
    )


def test_operators_are_told_which_one_it_is(folder, encoder, tmp_path):
    config = Config(cache_dir=tmp_path)
    voices = config.voices.__class__(ecapa_folder=str(folder), folder=tmp_path, key_file=tmp_path / "key")
    [found] = [one for one in examine(config.__class__(cache_dir=tmp_path, voices=voices)) if one.check == IDENTITY]
    assert found.found == f"{encoder.model}, 192 numbers, from {folder}"
    told = "\n".join(explain(config.__class__(voices=voices)).voices)
    assert "by likeness" not in told, "nobody has measured from when on that can be trusted"
