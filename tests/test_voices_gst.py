"""The GST style encoder from a checkpoint of coqui-tts: the numbers that coqui-tts gives, and what is no such thing."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from gst_folder import AUDIO, weights, write_folder
from recordings import prompt
from speakers import PROMPTS

from appliance.config import Config
from appliance.doctor.voices import STYLE, examine
from appliance.engines.protocols import EngineError
from appliance.media.resample import resample
from appliance.voices.consent import Consent
from appliance.voices.enrolment import Wish, enrol
from appliance.voices.gst import Gst
from appliance.voices.identity import load_encoder
from appliance.voices.intake import Recording
from appliance.voices.profile import STYLE_SLOT
from appliance.voices.prosody import MODEL as PROSODY
from appliance.voices.style import all_styles, load_style

RATE_HZ = 22_050


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("coqui") / "tacotron2-DDC-GST")


@pytest.fixture(scope="module")
def encoder(folder):
    return Gst(folder)


def sweep(seconds, rate_hz=RATE_HZ):
    """A sound that everybody can make alike."""
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    rising = 120 * times + 15 * np.sin(2 * np.pi * times) / np.pi
    sound = sum(np.sin(2 * np.pi * n * rising) / n for n in range(1, 30)) * 0.02 * (1.2 + np.sin(6 * np.pi * times))
    return sound.astype(np.float32)


def test_it_gives_what_coqui_gives(encoder):
    """The figures are those of coqui-tts 0.28.0 with torch 2.13, for the same weights and the same sound."""
    style = encoder.embedded(encoder.audio.mels(sweep(3)))
    greatest = np.argsort(-np.abs(style))[:6]
    assert greatest.tolist() == [2, 40, 7, 0, 36, 34]
    expected = [3.824307, 3.559264, -3.144473, 2.23014, -2.195566, 2.183349]
    np.testing.assert_allclose(style[greatest], expected, atol=1e-4)


def test_speech_has_a_style_whatever_its_rate_loudness_and_silence_around_it(encoder):
    said = resample(prompt(PROMPTS[0]), 16_000, RATE_HZ)[: 5 * RATE_HZ]
    style = encoder.style(said, RATE_HZ)
    assert (style.model, style.width, style.vector.shape) == (encoder.model, 64, (STYLE_SLOT,))
    silence = np.zeros(RATE_HZ, np.float32)
    quiet_among_silence = encoder.style(np.concatenate((silence, 0.2 * said, silence)), RATE_HZ)
    narrower = encoder.style(resample(said, RATE_HZ, 16_000), 16_000)
    another = encoder.style(prompt(PROMPTS[1])[: 5 * 16_000], 16_000)
    apart = [np.linalg.norm(style.numbers() - one.numbers()) for one in (quiet_among_silence, narrower, another)]
    assert apart[0] < 0.2 * apart[2]
    assert apart[1] < 0.2 * apart[2]


@pytest.mark.parametrize("seconds", [0, 0.2])
def test_what_is_no_speech_has_none(encoder, seconds):
    assert encoder.style(sweep(seconds), RATE_HZ) is None
    assert encoder.style(np.zeros(RATE_HZ, np.float32), RATE_HZ) is None


@pytest.mark.parametrize(
    ("size", "width"),
    [((64, 4, 10), 64), ((32, 4, 10), 32), ((256, 4, 10), 40), ((512, 4, 16), 64)],
    ids=["as wide as the slot", "narrower", "wider", "wider, and as many tokens as there is room"],
)
def test_its_true_width_is_kept_where_a_voice_is_enrolled_with_it(tmp_path, size, width):
    styles = load_style(str(write_folder(tmp_path / "gst", weights(*size))))
    said = [Recording(f"{name}.wav", 16_000, 1, prompt(name)) for name in PROMPTS[:4]]
    wish = Wish("Allison", Consent("Allison", datetime.now(UTC), "I agree."))
    resemblyzer = load_encoder(Config().cache_dir.expanduser())
    made = enrol(said, wish, resemblyzer, datetime.now(UTC), needed_s=20, styles=styles)
    assert (made.profile.style.model, made.profile.style.width) == (styles.model, width)
    assert all(manner.style.shape == (STYLE_SLOT,) and not manner.style[width:].any() for manner in made.manners)
    np.testing.assert_array_equal(made.profile.style.vector.numbers(), made.manners[0].style)


def test_every_checkpoint_has_a_name_of_its_own(encoder, folder, tmp_path):
    assert re.fullmatch("gst-[0-9a-f]{8}", encoder.model)
    again = {
        "same": write_folder(tmp_path / "same"),
        "other weights": write_folder(tmp_path / "weights", changed("encoder.convs.0.bias", np.zeros(32, "<f4"))),
        "other bands": write_folder(tmp_path / "bands", mel_fmax=8000.0),
    }
    names = {what: Gst(each).model for what, each in again.items()}
    assert names["same"] == encoder.model
    assert len({encoder.model, *names.values()}) == 3
    assert all_styles(str(folder)).keys() == {PROSODY, encoder.model}


def changed(key, value):
    return weights() | {key: value}


def without(key):
    return {name: value for name, value in weights().items() if name != key}


GRU = "encoder.recurrence.weight_hh_l0"
QUERY = "style_token_layer.attention.W_query.weight"


@pytest.mark.parametrize(
    ("state", "audio", "sentence"),
    [
        (without(GRU), {}, "model_file.pth has no style encoder that goes with its config.json: .*weight_hh_l0"),
        (changed(GRU, np.zeros((96, 33), "<f4")), {}, "has no style encoder that goes with"),
        (changed("encoder.convs.0.weight", np.zeros((32, 1, 5, 5), "<f4")), {}, r"its convolutions are \(5, 5\)"),
        (changed("encoder.convs.0.bias", np.full(32, np.nan, "<f4")), {}, "some of its weights are no numbers"),
        (changed(QUERY, np.zeros((64, 288), "<f4")), {}, "to be told who speaks .gst_use_speaker_embedding"),
        (weights(256, 4, 20), {}, "makes 256 numbers of a style, of 80 kinds; take a checkpoint with at most 64"),
        ({}, {}, "has no style encoder; take a Tacotron of coqui-tts that was trained with use_gst"),
        (None, {"num_mels": 40}, "has no style encoder that goes with"),
        (None, {"num_mels": "eighty"}, r'config.json: "audio" is of another kind of model: Expected `int`'),
        (None, {"win_length": 2048}, "windows or bands that cannot be"),
        (None, {"mel_fmax": 20_000.0}, "windows or bands that cannot be"),
        (None, {"stats_path": "/home/ana/scale_stats.npy"}, "scale_stats.npy cannot be read: No such file .*put it"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_another_model_is_refused_in_a_sentence(tmp_path, state, audio, sentence):
    refused(write_folder(tmp_path / "gst", state, **audio), sentence)


def refused(folder, sentence):
    with pytest.raises(EngineError) as error:
        load_style(str(folder))
    assert re.search(sentence, str(error.value)), error.value
    assert len(str(error.value).splitlines()) == 1


def test_what_is_missing_is_named(tmp_path):
    refused(tmp_path / "gst", "config.json cannot be read: No such file or directory; put all files of the checkpoint")
    write_folder(tmp_path / "gst")
    (tmp_path / "gst" / "model_file.pth").unlink()
    refused(tmp_path / "gst", "gst has no model_file.pth; put the checkpoint of coqui-tts there")


@pytest.mark.parametrize(
    ("share", "sentence"), [(0, "less than tensors"), (0.3, "its end is missing"), (0.999, "its end is missing")]
)
def test_half_a_download_is_refused(tmp_path, folder, share, sentence):
    whole = (folder / "model_file.pth").read_bytes()
    write_folder(tmp_path / "gst")
    (tmp_path / "gst" / "model_file.pth").write_bytes(whole[: int(len(whole) * share)])
    refused(tmp_path / "gst", f"model_file.pth cannot be used: .*{sentence}.*; download it again")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"audio": 7}', '{"model": "tacotron2"}'])
def test_a_configuration_of_something_else_is_refused(tmp_path, text):
    write_folder(tmp_path / "gst")
    (tmp_path / "gst" / "config.json").write_text(text)
    refused(tmp_path / "gst", 'config.json is no configuration of coqui-tts with a section "audio"; download it again')


def test_old_configurations_have_comments(encoder, tmp_path):
    write_folder(tmp_path / "gst")
    text = json.dumps({"audio": AUDIO | {"stats_path": None}, "github": "https://here"}, indent=1)
    text = text.replace('"num_mels"', '/* how\n many */ "num_mels"').replace(
        '"hop_length"', '// of 22050\n "hop_length"'
    )
    (tmp_path / "gst" / "config.json").write_text(text)
    assert Gst(tmp_path / "gst").model == encoder.model


class Hostile:
    """Runs something when a careless reader loads it."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.mkdir, (self.trace,)


def test_nothing_in_a_checkpoint_or_its_statistics_is_run(tmp_path, encoder):
    hostile = Hostile(tmp_path / "it ran")
    folder = write_folder(tmp_path / "gst", weights() | {"encoder.extra": hostile})
    refused(folder, "something in it is no tensor")
    write_folder(folder, rest={"optimizer": hostile})
    assert Gst(folder).model == encoder.model, "what nobody asks for is passed over"
    write_folder(folder, stats_path="scale_stats.npy")
    np.save(folder / "scale_stats.npy", {"mel_mean": hostile, "mel_std": hostile}, allow_pickle=True)
    refused(folder, "scale_stats.npy cannot be used: it holds no means and deviations")
    assert not (tmp_path / "it ran").exists()


@pytest.mark.parametrize(
    ("stats", "sentence"),
    [
        ({"mel_mean": np.zeros(40), "mel_std": np.ones(40)}, "it is of 40 bands, and the model has 80; download it"),
        ({"mel_mean": np.zeros(80), "mel_std": np.zeros(80)}, "some of its deviations are not above 0"),
        ({"mel_mean": np.zeros(80)}, "it holds no means and deviations"),
        ([1, 2], "there is no dictionary in it"),
    ],
    ids=["other bands", "no deviation", "half of it", "something else"],
)
def test_statistics_of_another_model_are_refused(tmp_path, stats, sentence):
    folder = write_folder(tmp_path / "gst", stats_path="scale_stats.npy")
    boxed = np.empty((), object)
    boxed[()] = stats
    np.save(folder / "scale_stats.npy", boxed, allow_pickle=True)
    refused(folder, f"scale_stats.npy cannot be used: .*{sentence}")


def test_operators_are_told_which_one_it_is(folder, encoder, tmp_path):
    def found(gst_folder):
        voices = Config().voices.__class__(gst_folder=gst_folder, folder=tmp_path, key_file=tmp_path / "key")
        config = Config(cache_dir=tmp_path, voices=voices)
        return next(one for one in examine(config) if one.check == STYLE)

    assert found("").found == f"{PROSODY}, 64 numbers"
    assert found(str(folder)).found == f"{encoder.model}, 64 numbers, from {folder}"
    missing = found(str(tmp_path / "gst"))
    assert missing.found.startswith("nobody can enrol: ")
    assert missing.fix.startswith("put all files of the checkpoint there")
