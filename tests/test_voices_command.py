"""`dragoman voices`, as a technician and as a script meet it."""

import json
import os
import re
import subprocess
import sys
from datetime import timedelta

import msgspec
import numpy as np
import pytest
import soundfile
from voice_samples import CONSENT, NOW, cluster, profile

from appliance.config import Config, VoicesConfig
from appliance.doctor.voices import examine
from appliance.engines.protocols import EngineError
from appliance.voices.phone_prompts import languages, missing
from appliance.voices.profile import IDENTITY_SLOT, Embedding, Quality
from appliance.voices.store import VoiceStore

ANA = profile(
    "v-ana",
    name="Ana [SP]",
    phone_numbers=("1001",),
    quality=Quality(speech_s=190.2, snr_db=31.4, clipped_share=0.0, bandwidth_hz=11_000),
    synthesis_model="xtts-v2",
    synthesis=(cluster(),),
)
BRUNO = profile("v-bruno", name="Bruno", consent=msgspec.structs.replace(CONSENT, expires_at=NOW - timedelta(days=1)))
PASSPHRASE = "correct horse\n"


COMMAND = [sys.executable, "-m", "appliance.cli", "voices"]
ENVIRONMENT = {**os.environ, "TERM": "dumb", "COLUMNS": "120"}


def check(*words):
    command = [*COMMAND, "check", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=ENVIRONMENT)


class Voices:
    """A store of its own, and the command line on it."""

    def __init__(self, folder):
        self.place = (folder / "voices", folder / "box.key")
        self.config = folder / "appliance.toml"
        self.config.write_text(f'[voices]\nfolder = "{self.place[0]}"\nkey_file = "{self.place[1]}"\n')

    def put(self, *profiles):
        with VoiceStore(*self.place) as store:
            store.put(*profiles)

    def names(self):
        with VoiceStore(*self.place) as store:
            return {speaker_id: store.get(speaker_id).name for speaker_id in store.ids()}

    def run(self, *words, typed=""):
        return subprocess.run(
            [*COMMAND, *map(str, words), "--config", str(self.config)],
            input=typed,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=ENVIRONMENT,
        )


@pytest.fixture
def voices(tmp_path):
    return Voices(tmp_path)


def test_a_new_box_has_no_voices(voices):
    answer = voices.run("list")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "there are no voices yet\n", "")


def test_the_list_shows_consent_quality_and_numbers(voices):
    voices.put(ANA, BRUNO)
    answer = voices.run("list")
    assert answer.returncode == 0, answer.stderr
    ana, bruno = answer.stdout.splitlines()[1:]
    assert ana.split() == ["v-ana", "Ana", "[SP]", "given", "-", "190", "s", "31", "dB", "1001"]
    assert bruno.split() == ["v-bruno", "Bruno", "expired", "2026-11-22", "-", "-", "-"]


def test_the_list_says_whose_voice_other_models_have_made(voices):
    resembled = Embedding.of("resemblyzer", np.ones(256), IDENTITY_SLOT)
    two_manners = msgspec.structs.replace(ANA, identity=resembled, synthesis=(cluster(), cluster()))
    voices.put(two_manners, BRUNO, profile("v-zoe", name="Zoe", identity=resembled))
    answer = voices.run("list")
    assert answer.returncode == 0
    assert answer.stderr.splitlines() == [
        "Ana [SP] has manners of speaking by prosody, and is always heard in the first of them; enrol it again "
        "(dragoman voices enrol … --replace)",
        "Bruno was enrolled with ecapa-tdnn, and is not found by likeness with resemblyzer; enrol it again "
        "(dragoman voices enrol … --replace)",
    ]
    voices.config.write_text(voices.config.read_text() + 'gst_folder = "/nowhere/gst"\n')
    answer = voices.run("list")
    assert answer.stdout.count("\n") == 4, "the voices all the same"
    assert answer.stderr.startswith("/nowhere/gst/config.json cannot be read: No such file or directory; put")


def test_the_list_for_programs(voices):
    voices.put(ANA, BRUNO)
    seen = json.loads(voices.run("list", "--json").stdout)
    assert [one.partition(" was enrolled with ")[0] for one in seen["outdated"]] == ["Ana [SP]", "Bruno"]
    assert [(one["speaker_id"], one["consent"]) for one in seen["voices"]] == [
        ("v-ana", "given"),
        ("v-bruno", "expired"),
    ]
    assert seen["damaged"] == []
    assert "latents" not in json.dumps(seen)


def test_a_damaged_voice_is_said_and_can_be_deleted(voices):
    voices.put(ANA, BRUNO)
    with VoiceStore(*voices.place) as store, store._environment.writing() as txn:
        txn.put(b"voice v-ana", b"nonsense")
    answer = voices.run("list")
    assert answer.returncode == 1
    assert "Bruno" in answer.stdout
    assert answer.stderr.endswith("the voice v-ana is damaged; delete it, then import or enrol it again\n")
    assert voices.run("delete", "v-ana", "--yes").returncode == 0
    assert voices.names() == {"v-bruno": "Bruno"}


@pytest.mark.parametrize("voice", ["v-ana", "Ana [SP]", "ana [sp]"])
def test_one_voice_by_id_or_name(voices, voice):
    voices.put(ANA)
    answer = voices.run("show", voice)
    assert answer.returncode == 0, answer.stderr
    assert "given by Ana Souza on 2026-11-23" in answer.stdout
    assert "xtts-v2, manners of speaking: 1" in answer.stdout
    assert json.loads(voices.run("show", voice, "--json").stdout)["identity"]["width"] == 192


@pytest.mark.parametrize(
    "words", [["show", "X"], ["rename", "X", "Y"], ["withdraw", "X"], ["delete", "X"], ["export", "X", "f"]]
)
def test_a_voice_that_is_not_there(voices, words):
    answer = voices.run(*words)
    assert answer.returncode == 1
    assert answer.stderr == 'there is no voice "X"; see: dragoman voices list\n'


def test_two_voices_of_one_name_are_told_apart_by_id(voices):
    voices.put(ANA, msgspec.structs.replace(BRUNO, name="Ana [SP]"))
    answer = voices.run("show", "Ana [SP]")
    assert answer.returncode == 1
    assert answer.stderr == '2 voices are called "Ana [SP]"; name the one you mean by its id: v-ana, v-bruno\n'


def test_a_voice_gets_another_name(voices):
    voices.put(ANA)
    assert voices.run("rename", "v-ana", "Ana Maria").stdout == "v-ana is called Ana Maria now\n"
    assert voices.names() == {"v-ana": "Ana Maria"}
    answer = voices.run("rename", "v-ana", "x" * 201)
    assert (answer.returncode, answer.stderr) == (1, "a name has 1 to 200 characters\n")


def test_withdrawn_consent_stays_withdrawn(voices):
    voices.put(ANA)
    assert voices.run("withdraw", "v-ana").stdout == "the voice of Ana [SP] is not used any more\n"
    assert json.loads(voices.run("show", "v-ana", "--json").stdout)["consent"] == "withdrawn"


def test_a_voice_is_deleted_after_a_question(voices):
    voices.put(ANA)
    assert voices.run("delete", "Ana [SP]", typed="n\n").returncode == 1
    assert voices.names() == {"v-ana": "Ana [SP]"}
    assert voices.run("delete", "Ana [SP]", typed="y\n").returncode == 0
    assert voices.names() == {}


def test_a_voice_goes_to_another_box(voices, tmp_path):
    voices.put(ANA)
    file = tmp_path / "ana.voice"
    assert voices.run("export", "v-ana", file, "--passphrase-file", "-", typed=PASSPHRASE).returncode == 0
    other = tmp_path / "other"
    other.mkdir()
    box = Voices(other)
    answer = box.run("import", file, "--passphrase-file", "-", "--json", typed=PASSPHRASE)
    assert json.loads(answer.stdout) == {"speaker_id": "v-ana", "name": "Ana [SP]"}
    with VoiceStore(*box.place) as store:
        assert store.get("v-ana") == ANA
    again = box.run("import", file, "--passphrase-file", "-", typed=PASSPHRASE)
    assert again.returncode == 1
    assert again.stderr == "the voice v-ana is here already; to put this one in its place: --replace\n"
    assert box.run("import", file, "--replace", "--passphrase-file", "-", typed=PASSPHRASE).returncode == 0
    wrong = box.run("import", file, "--replace", "--passphrase-file", "-", typed="wrong horse\n")
    assert wrong.stderr == ("ana.voice cannot be opened: the passphrase is another one, or the file is damaged\n")


def record(path, seconds, noise=0.0):
    """Noise in bursts, which is speech enough to be measured."""
    dice = np.random.default_rng(1)
    bursts = np.sin(np.arange(seconds * 16_000) / 4_000) > -0.5
    soundfile.write(path, 0.1 * dice.normal(size=len(bursts)) * bursts + noise * dice.normal(size=len(bursts)), 16_000)


def test_recordings_are_judged_before_anybody_enrols(tmp_path):
    record(tmp_path / "take1.wav", 300)
    assert check(tmp_path / "take1.wav").stdout.splitlines()[-1] == "these are good"
    record(tmp_path / "take2.flac", 10, noise=0.03)
    soundfile.write(tmp_path / "hall.wav", np.zeros(16_000), 16_000)
    answer = check(tmp_path / "take2.flac", tmp_path / "hall.wav")
    assert answer.returncode == 1
    assert "s of speech in 2 files (180 s needed); 1 file is silent: hall.wav\n" in answer.stdout
    assert "take2.flac is noisy (10 dB between speech and noise" in answer.stdout
    seen = json.loads(check(tmp_path / "take2.flac", "--json").stdout)
    assert (seen["good"], seen["recordings"][0]["name"], seen["advice"][0]["refuses"]) == (False, "take2.flac", True)


def test_what_is_no_recording_is_said_in_one_sentence(tmp_path):
    (tmp_path / "song.mp3").write_bytes(b"ID3 and so on")
    answer = check(tmp_path / "song.mp3")
    assert (answer.returncode, answer.stderr) == (1, "song.mp3 is neither WAV nor FLAC; convert it to one of them\n")


def doctor(voices, **settings):
    config = Config(voices=VoicesConfig(*voices.place, **settings), cache_dir=Config().cache_dir.expanduser())
    return {one.check: (one.level, one.found) for one in examine(config)}


def test_doctor_reads_every_voice(voices):
    assert doctor(voices)["voices"] == ("ok", "none on file yet: everybody is heard in a stock voice")
    assert not voices.place[0].exists()
    voices.put(ANA, BRUNO)
    found = doctor(voices)
    assert found["voices"] == ("ok", "2 on file, 1 with consent")
    assert found["voice identity"] == ("ok", "resemblyzer, every byte as it should be")
    assert found["enrolment by telephone"] == ("ok", "off (voices.enrolment_number)")
    with VoiceStore(*voices.place) as store, store._environment.writing() as txn:
        txn.put(b"voice v-ana", b"nonsense")
    assert doctor(voices)["voices"] == ("advice", "1 of 2 cannot be read")
    voices.place[1].unlink()
    assert doctor(voices)["voices"][0] == "fault"


def test_doctor_sees_a_full_disk_and_missing_weights(voices, monkeypatch):
    def missing_weights(*_):
        raise EngineError("the Python package resemblyzer holds a model file and is not installed; run: make setup")

    monkeypatch.setattr("appliance.doctor.voices.LEAST_FREE_BYTES", 1 << 60)
    monkeypatch.setattr("appliance.doctor.voices.verified_folder", missing_weights)
    found = doctor(voices)
    assert found["room for voices"][0] == "advice"
    assert found["voice identity"][1].startswith("nobody can enrol: the Python package resemblyzer")


def test_doctor_looks_for_prompts_that_asterisk_can_read(voices, tmp_path):
    there = tmp_path / "open/prompts"
    asked = {"enrolment_number": "700", "prompts_folder": there}
    assert doctor(voices, **asked)["enrolment by telephone"][1].endswith("prompts are not spoken yet")
    for language in languages():
        (there / language).mkdir(parents=True)
        for one in missing(there, language):
            (there / language / one.file_name).touch()
    (tmp_path / "open").chmod(0o700)
    level, found = doctor(voices, **asked)["enrolment by telephone"]
    assert (level, "cannot read the prompts" in found) == ("advice", True)


def test_somebody_is_invited_listed_and_uninvited(voices):
    answer = voices.run("invite", "Ana Souza", "--number", "+55 11 9")
    assert answer.returncode == 0, answer.stderr
    assert re.fullmatch(r"until [-0-9]{10}, Ana Souza dials .* keys in \d{4} \d{4}\n", answer.stdout)
    assert voices.run("invitations").stdout.splitlines()[1].split()[:3] == ["Ana", "Souza", "en"]
    assert json.loads(voices.run("invite", "Bia", "--json").stdout)["code"].isdigit()
    assert voices.run("uninvite", "ana souza").stdout == "ana souza is not invited any more\n"
    assert [one["name"] for one in json.loads(voices.run("invitations", "--json").stdout)["invitations"]] == ["Bia"]
    answer = voices.run("invite", "Ana", "--language", "de")
    assert (answer.returncode, answer.stderr[:30]) == (1, 'there are no prompts in "de" o')


def test_an_old_file_does_not_undo_a_withdrawal(voices, tmp_path):
    voices.put(ANA)
    file = tmp_path / "ana.voice"
    voices.run("export", "v-ana", file, "--passphrase-file", "-", typed=PASSPHRASE)
    voices.run("withdraw", "v-ana")
    answer = voices.run("import", file, "--replace", "--passphrase-file", "-", typed=PASSPHRASE)
    assert answer.returncode == 1
    assert answer.stderr == "Ana [SP] has withdrawn the consent in this file; it needs a new one\n"


def test_a_wrong_key_is_one_sentence(voices):
    voices.put(ANA)
    voices.place[1].unlink()
    answer = voices.run("list")
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"the box's key {voices.place[1]} is missing, and without it no voice can be read")
    assert len(answer.stderr.splitlines()) == 1
