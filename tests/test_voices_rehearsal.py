"""A voice heard outside a call, and what an engine that clones adds to an enrolment."""

import msgspec
import numpy as np
import pytest
import soundfile
from recordings import prompt
from speakers import PROMPTS
from toys.cloner import MODEL, STOCK_LOUDNESS
from typer.testing import CliRunner
from voice_samples import CONSENT, NOW, cluster, profile

from appliance.cli import app
from appliance.commands.voice_enrolment import learned
from appliance.config import Config, EnginesConfig
from appliance.engines import registry
from appliance.voices.conditioning import RATE_HZ
from appliance.voices.enrolment import Wish, enrol
from appliance.voices.identity import load_encoder
from appliance.voices.intake import Recording
from appliance.voices.store import VoiceStore


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    monkeypatch.setitem(registry.SYNTHESIZERS, "toy", "toys.cloner:made")


@pytest.fixture
def preview(tmp_path):
    """The command, on a store with one voice; gives what it said, and what is in the file."""

    def run(engine, *words, **fields):
        config = tmp_path / "appliance.toml"
        place = tmp_path / "voices", tmp_path / "box.key"
        voices = f'[voices]\nfolder = "{place[0]}"\nkey_file = "{place[1]}"\n'
        config.write_text(f'{voices}[engines.synthesizers]\nen = "{engine}"\n')
        with VoiceStore(*place) as store:
            store.put(profile("v-ana", name="Ana", **fields))
        output = tmp_path / "out.wav"
        command = ["voices", "preview", "Ana", *words, "--output", str(output), "--config", str(config)]
        answer = CliRunner().invoke(app, command)
        return answer, soundfile.read(output)[0] if output.exists() else None

    return run


def test_a_voice_is_heard_as_its_speaker_where_an_engine_clones(preview):
    answer, samples = preview("toy", synthesis_model=MODEL, synthesis=(cluster(),))
    assert answer.exit_code == 0, answer.output
    assert answer.output.startswith("this is the voice of Ana, spoken by toy; it is in ")
    assert np.abs(samples).max() == pytest.approx(1.0, abs=0.01)  # as loud as its conditioning says


@pytest.mark.parametrize(
    ("engine", "fields", "why"),
    [
        ("toy", {}, "this is the stock voice of toy, not Ana: Ana was not enrolled for toy; enrol it again; it is in"),
        ("toy", {"synthesis_model": "xtts", "synthesis": (cluster(),)}, "this is the stock voice of toy, not Ana"),
        ("piper", {}, "this is the stock voice of piper, not Ana: piper clones no voices; it is in"),
    ],
)
def test_a_stock_voice_is_called_one(preview, engine, fields, why):
    answer, samples = preview(engine, "--text", "Good morning.", **fields)
    assert answer.exit_code == 0, answer.output
    assert answer.output.startswith(why)
    assert len(samples) > 4000
    if engine == "toy":
        assert np.abs(samples).max() == pytest.approx(STOCK_LOUDNESS, abs=0.01)


@pytest.mark.parametrize(
    ("words", "fields", "sentence"),
    [
        ((), {"consent": None}, "has no consent on file"),
        (("--language", "tlh", "--text", "x"), {}, 'no engine for "tlh"'),
        (("--language", "de"), {}, 'nothing is known that could be said in "de"; say what, with --text'),
    ],
)
def test_what_cannot_be_heard_is_said_in_a_sentence(preview, words, fields, sentence):
    answer, samples = preview("toy", *words, **fields)
    assert answer.exit_code != 0
    assert sentence in str(answer.exception) + answer.output
    assert samples is None


def test_an_enrolment_learns_each_manner_and_scores_what_comes_of_it():
    encoder = load_encoder(Config().cache_dir.expanduser())
    recordings = [Recording("silence.wav", 16_000, 1, np.zeros(16_000, np.float32))]
    recordings += [Recording(name, 16_000, 1, np.asarray(prompt(name), np.float32)) for name in PROMPTS[:4]]
    enrolled = enrol(recordings, Wish("Allison", CONSENT), encoder, NOW, needed_s=20.0)
    with_toy = Config(engines=EnginesConfig(synthesizers={"en": "toy"}))
    made = learned(enrolled, with_toy, encoder)
    assert made.synthesis_model == MODEL
    assert len(made.synthesis) == len(enrolled.manners)
    for one, manner in zip(made.synthesis, enrolled.manners, strict=True):
        loudest = max(np.abs(enrolled.recordings[p].samples[first:end]).max() for p, first, end in manner.windows)
        assert one.speaker_embedding.numbers()[0] == pytest.approx(loudest, rel=0.1)
        assert one.speech_s == pytest.approx(manner.speech_s, abs=1 / RATE_HZ * len(manner.windows) + 0.1)
    assert made.quality.synthesis_similarity is None  # half a second of a toy is no speech
    without = Config(engines=EnginesConfig(synthesizers={"en": "piper"}))
    assert learned(enrolled, without, encoder) == enrolled.profile
    assert msgspec.structs.replace(made, synthesis=(), synthesis_model="") == enrolled.profile
