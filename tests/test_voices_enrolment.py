"""Enrolment: recordings of a real person become a voice on file, and what is no such thing is refused in words."""

import io
import json
import os
import subprocess
import sys
from datetime import timedelta

import msgspec
import numpy as np
import pytest
import soundfile
from recordings import prompt
from speakers import PROMPTS, people, synthesizers
from voice_samples import CONSENT, NOW

from appliance.bench import enrol as bench
from appliance.voices.comparison import compare
from appliance.voices.enrolment import EnrolmentRefused, Wish, enrol
from appliance.voices.errors import VoiceError
from appliance.voices.identity import load_encoder
from appliance.voices.intake import Recording, RecordingRefused
from appliance.voices.profile import Embedding
from appliance.voices.scales import RESEMBLYZER
from appliance.voices.spoken_consent import as_flac
from appliance.voices.store import VoiceStore

RATE_HZ = 16_000
NEEDED_S = 20.0
WISH = Wish("Allison", CONSENT)


def recording(name, samples):
    return Recording(name, RATE_HZ, 1, np.asarray(samples, np.float32))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return load_encoder(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def allison():
    return [recording(f"{name}.wav", prompt(name)) for name in PROMPTS]


@pytest.fixture(scope="module")
def joe():
    name, said = next(synthesizers())
    return recording(f"{name}.wav", np.concatenate(said))


@pytest.fixture(scope="module")
def enrolled(encoder, allison):
    return enrol(allison[:4], WISH, encoder, NOW, needed_s=NEEDED_S)


def test_a_voice_has_identity_style_quality_and_consent(enrolled):
    profile = enrolled.profile
    assert (profile.name, profile.consent, profile.created_at) == ("Allison", CONSENT, NOW)
    assert (profile.identity.model, profile.identity.width) == ("resemblyzer", 256)
    assert (profile.style.model, profile.style.width) == ("prosody-64-v1", 64)
    assert np.linalg.norm(profile.identity.numbers()) == pytest.approx(1, abs=1e-5)
    assert profile.quality.speech_s > NEEDED_S
    assert profile.quality.self_similarity > RESEMBLYZER.same
    assert profile.synthesis == ()
    assert not any(one.refuses for one in enrolled.advice)
    assert "sounds like a telephone" in enrolled.advice[0].text  # Asterisk's prompts are


def test_manners_have_windows_that_lie_in_their_recordings(enrolled, allison):
    assert enrolled.manners
    for manner in enrolled.manners:
        assert manner.speech_s == pytest.approx(sum(end - first for _, first, end in manner.windows) / RATE_HZ)
        for place, first, end in manner.windows:
            assert 0 <= first < end <= len(allison[place].samples)
    np.testing.assert_array_equal(enrolled.profile.style.numbers(), enrolled.manners[0].style)


def test_progress_goes_from_nothing_to_all(encoder, allison):
    told = []
    enrol(allison[:4], WISH, encoder, NOW, lambda what, share: told.append((what, share)), needed_s=NEEDED_S)
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert (shares[0], told[-1]) == (0.0, ("done", 1.0))
    assert {what for what, _ in told} == {"measuring", "listening", "measuring manners", "done"}


def test_a_second_speaker_is_refused_and_his_file_is_named(encoder, allison, joe):
    with pytest.raises(EnrolmentRefused, match=r"^enrolment refused: another speaker, .+ in piper\.wav \(likeness 0\."):
        enrol([*allison[:4], joe], WISH, encoder, NOW, needed_s=NEEDED_S)


def test_too_little_speech_is_refused(encoder, allison):
    silence = recording("hall.wav", np.zeros(RATE_HZ))
    with pytest.raises(EnrolmentRefused) as refused:
        enrol([allison[0], silence], WISH, encoder, NOW)
    assert str(refused.value).endswith("s of speech in 2 files (180 s needed); 1 file is silent: hall.wav")


def test_a_silent_file_among_good_ones_is_left_out(encoder, allison, enrolled):
    silence = recording("hall.wav", np.zeros(RATE_HZ))
    made = enrol([*allison[:4], silence], WISH, encoder, NOW, needed_s=NEEDED_S)
    assert any(one.text == "1 file is silent: hall.wav" for one in made.advice)
    assert made.profile.identity == enrolled.profile.identity


def test_noise_is_refused(encoder, allison):
    dice = np.random.default_rng(1)
    noisy = [recording(one.name, one.samples + 0.05 * dice.normal(size=len(one.samples))) for one in allison[:4]]
    with pytest.raises(EnrolmentRefused):
        enrol(noisy, WISH, encoder, NOW, needed_s=5)


def test_a_consent_that_somebody_else_speaks_is_refused(encoder, allison, joe):
    spoken = Wish("Allison", CONSENT, spoken=joe)
    with pytest.raises(EnrolmentRefused, match=r"piper\.wav is spoken by somebody else than the recordings"):
        enrol(allison[:4], spoken, encoder, NOW, needed_s=NEEDED_S)
    assert enrol(allison[:4], Wish("Allison", CONSENT, spoken=allison[4]), encoder, NOW, needed_s=NEEDED_S)


def test_the_spoken_consent_is_kept_as_flac(allison):
    samples, rate_hz = soundfile.read(io.BytesIO(as_flac(allison[0])))
    assert rate_hz == RATE_HZ
    np.testing.assert_allclose(samples, allison[0].samples, atol=1e-4)
    with pytest.raises(RecordingRefused, match="is 31 s long; say the consent in 30 s"):
        as_flac(recording("long.wav", np.zeros(31 * RATE_HZ)))


# Comparing


def test_another_recording_of_the_speaker_is_the_same_voice_and_nobody_else_is(encoder, allison, joe, enrolled):
    comparison = compare(enrolled.profile, [*allison[4:], joe], encoder)
    assert [one.verdict for one in comparison.recordings] == ["same", "same", "other"]
    assert comparison.least.name == "piper.wav"
    assert comparison.together.speech_s == pytest.approx(sum(one.speech_s for one in comparison.recordings))


def test_every_other_person_is_another_voice(encoder, enrolled):
    for _, recordings in list(people())[1:]:
        others = recording("other.wav", np.concatenate(recordings))
        assert compare(enrolled.profile, [others], encoder).together.verdict == "other"


def test_too_little_speech_is_not_compared(encoder, allison, enrolled):
    short = recording("short.wav", allison[0].samples[: 2 * RATE_HZ])
    with pytest.raises(RecordingRefused, match=r"^short\.wav has only \d\.\d s of speech; 3 s are needed$"):
        compare(enrolled.profile, [short], encoder)


def test_a_voice_of_another_encoder_is_not_compared(encoder, allison, enrolled):
    ecapa = Embedding.of("ecapa-tdnn", np.ones(192), 256)
    other = msgspec.structs.replace(enrolled.profile, identity=ecapa)
    with pytest.raises(VoiceError, match="was enrolled with ecapa-tdnn, which cannot be compared with resemblyzer"):
        compare(other, allison[:1], encoder)


def test_the_benchmark_enrols_as_much_as_it_is_told(tmp_path, allison):
    soundfile.write(tmp_path / "one.wav", np.concatenate([one.samples for one in allison[:3]]), RATE_HZ)
    report = bench.run([tmp_path / "one.wav"], tmp_path / "cache", seconds=30)
    seen = {one.name: one.value for one in report.measurements}
    assert seen["length"] >= 30
    assert {"reading", "listening", "measuring manners", "storing"} < set(seen)
    assert report.targets[0].holds


# The command


class Box:
    """A store of its own, and the command line on it."""

    def __init__(self, folder):
        self.place = (folder / "voices", folder / "box.key")
        self.config = folder / "appliance.toml"
        self.config.write_text(f'[voices]\nfolder = "{self.place[0]}"\nkey_file = "{self.place[1]}"\n')

    def run(self, *words):
        command = [sys.executable, "-m", "appliance.cli", "voices", *map(str, words), "--config", str(self.config)]
        environment = {**os.environ, "TERM": "dumb", "COLUMNS": "120"}
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)

    def only_voice(self):
        with VoiceStore(*self.place) as store:
            (speaker_id,) = store.ids()
            return store.get(speaker_id)


@pytest.fixture(scope="module")
def takes(tmp_path_factory, allison):
    """Two recordings, 180 s and more of speech together: all the prompts again and again."""
    folder = tmp_path_factory.mktemp("takes")
    once = np.concatenate([one.samples for one in allison])
    again = np.tile(once, 1 + int(95 * RATE_HZ / len(once)))
    soundfile.write(folder / "take1.wav", again, RATE_HZ)
    soundfile.write(folder / "take2.flac", again, RATE_HZ)
    return [folder / "take1.wav", folder / "take2.flac"]


def test_somebody_enrols_and_is_compared(tmp_path, takes, joe):
    box = Box(tmp_path)
    told = box.run("enrol", "Ana Souza", *takes, "--consent-by", "Ana Souza", "--number", "+55 11 99999-0000")
    assert (told.returncode, told.stderr) == (0, "")
    profile = box.only_voice()
    first, second, *_, last = told.stdout.splitlines()
    assert first.startswith(f"Ana Souza is on file as {profile.speaker_id}: ")
    assert second.startswith("manners of speaking: ")
    assert last == "no engine that clones voices is installed: until one is, calls go on in a stock voice"
    assert (profile.phone_numbers, profile.consent.by) == (("5511999990000",), "Ana Souza")
    assert profile.consent.expires_at is None
    same = box.run("verify", "Ana Souza", takes[0])
    assert same.returncode == 0
    assert same.stdout.splitlines()[-1] == "this is the voice of Ana Souza, as far as can be heard"
    soundfile.write(tmp_path / "joe.wav", joe.samples, RATE_HZ)
    other = box.run("verify", "Ana Souza", tmp_path / "joe.wav", "--json")
    assert other.returncode == 1
    assert json.loads(other.stdout)["together"]["verdict"] == "other"

    twice = box.run("enrol", "ana souza", *takes, "--consent-by", "Ana Souza")
    assert twice.returncode == 1
    assert twice.stderr.startswith(f'there is a voice called "ana souza" already ({profile.speaker_id}); ')
    words = ("enrol", "Ana Souza", *takes, "--consent-by", "A guardian", "--consent-until", "2999-01-31", "--replace")
    again = json.loads(box.run(*words, "--json").stdout)
    replaced = box.only_voice()
    assert again["voice"]["speaker_id"] == replaced.speaker_id == profile.speaker_id
    assert (replaced.consent.by, replaced.phone_numbers) == ("A guardian", profile.phone_numbers)
    assert f"{replaced.consent.expires_at - timedelta(seconds=1):%Y-%m-%d}" == "2999-01-31"
    assert sum(again["manners_s"]) > 100


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--consent-by", " "], "nobody has consented; say who has, with --consent-by"),
        (
            ["--consent-by", "Ana", "--consent-until", "2001-01-31"],
            "a consent until 2001-01-31 has ended already; name a later day",
        ),
        (
            ["--consent-by", "Ana", "--number", "office"],
            "'office' is not a phone number; write it with its digits, like +55 11 99999-0000",
        ),
    ],
    ids=["nobody", "over", "number"],
)
def test_a_wrong_consent_or_number_is_one_sentence(tmp_path, takes, words, sentence):
    told = Box(tmp_path).run("enrol", "Ana", *takes, *words)
    assert (told.returncode, told.stderr) == (1, f"{sentence}\n")


def test_nobody_enrols_without_consent(tmp_path, takes):
    told = Box(tmp_path).run("enrol", "Ana", *takes)
    assert told.returncode == 2
    assert "--consent-by" in told.stderr
