"""When a voice is found by likeness, measured on the box: what is proposed, and what is too little for that."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import prompt
from speakers import PROMPTS
from voice_samples import profile

from appliance.config import Config
from appliance.media.resample import resample
from appliance.voices.calibration import NotCalibrated, calibrate
from appliance.voices.choice import Likely, identified
from appliance.voices.identity import likeness, load_encoder, mean_voice
from appliance.voices.profile import IDENTITY_SLOT, Embedding
from appliance.voices.resemblyzer import clean_speech
from appliance.voices.store import VoiceStore

RATE_HZ = 16_000
PITCHES = (0.7, 0.82, 1.0, 1.2, 1.45, 1.75)


def voices(count, alike=0.0, width=64):
    """People whose voices are `alike`."""
    each = np.eye(count, width) * np.sqrt(1 - alike)
    each[:, -1] = np.sqrt(alike)
    return {f"v-{place}": one.astype(np.float32) for place, one in enumerate(each)}


def said(voice, noise, stretches=4):
    dice = np.random.default_rng(int(1000 * noise))
    return [mean_voice((voice + dice.normal(0, noise, len(voice)))[None]) for _ in range(stretches)]


def test_what_is_proposed_lies_between_the_same_and_different_speakers():
    on_file = voices(6, alike=0.3)
    heard = {name: said(voice, 0.05) for name, voice in on_file.items()} | {"stranger": said(voices(8)["v-7"], 0.05)}
    found = calibrate(on_file, heard, other_below=0.25)
    assert (found.people, found.people_pairs, found.same.pairs, found.different.pairs) == (6, 21, 24, 6 * 28 - 24)
    assert found.different.greatest < found.least_likeness < found.same.low
    assert (found.found, found.other_below) == (24, 0.25)
    assert found.at_most_wrong == pytest.approx(3 / 21)


@settings(deadline=None, max_examples=30)
@given(st.floats(0, 0.8), st.floats(0.01, 0.15), st.integers(5, 9))
def test_nobody_measured_is_taken_for_somebody_else_by_what_is_proposed(alike, noise, count):
    on_file = voices(count, alike)
    heard = {name: said(voice, noise) for name, voice in on_file.items()}
    try:
        proposed = calibrate(on_file, heard, other_below=0.6)
    except NotCalibrated:
        return  # too much alike
    policy = Likely(proposed.least_likeness, proposed.least_margin)
    assert 0 <= proposed.other_below < proposed.least_likeness <= 1
    for speaker, stretches in heard.items():
        others = {name: voice for name, voice in on_file.items() if name != speaker}
        for one in stretches:
            assert identified({name: likeness(one, voice) for name, voice in others.items()}, policy) is None
            assert identified({name: likeness(one, voice) for name, voice in on_file.items()}, policy) in (
                speaker,
                None,
            )


@pytest.mark.parametrize(("count", "stretches"), [(4, 10), (5, 3), (0, 0)])
def test_too_few_are_refused_in_a_sentence(count, stretches):
    on_file = voices(count)
    heard = {name: said(voice, 0.05, stretches) for name, voice in on_file.items()}
    with pytest.raises(NotCalibrated) as error:
        calibrate(on_file, heard, 0.6)
    there = f"are needed, and there are {count * stretches} of {count}; record half a minute of each"
    assert str(error.value).startswith(f"20 stretches of 5 s of speech, of 5 people on file, {there}")


def test_recordings_that_were_mixed_up_are_refused():
    on_file = voices(6)
    names = list(on_file)
    heard = {name: said(on_file[other], 0.01) for name, other in zip(names, names[1:] + names[:1], strict=True)}
    with pytest.raises(NotCalibrated, match=r"cannot be told apart: two people are up to 1.00 alike, .* wrong folder"):
        calibrate(on_file, heard, 0.6)


class Box:
    """A store of its own, a folder of recordings, and the command."""

    def __init__(self, folder):
        self.place = (folder / "voices", folder / "box.key")
        self.config = folder / "appliance.toml"
        self.config.write_text(f'[voices]\nfolder = "{self.place[0]}"\nkey_file = "{self.place[1]}"\n')
        self.recordings = folder / "recordings"
        self.recordings.mkdir()

    def calibrate(self, *words):
        command = [sys.executable, "-m", "appliance.cli", "voices", "calibrate", str(self.recordings), *words]
        command += ["--config", str(self.config)]
        environment = {**os.environ, "TERM": "dumb", "COLUMNS": "120"}
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)


def test_a_technician_measures_it(tmp_path):
    """With six voices made of one: taller and smaller people, as far as can be heard."""
    box, encoder = Box(tmp_path), load_encoder(Config().cache_dir.expanduser())
    nothing = box.calibrate()
    assert (nothing.returncode, nothing.stderr.count("\n")) == (1, 1)
    assert "recordings has no folders; put each person's recordings into one with the voice's name" in nothing.stderr
    whole = clean_speech(np.concatenate([prompt(name) for name in PROMPTS]), RATE_HZ)
    with VoiceStore(*box.place) as store:
        for place, pitch in enumerate(PITCHES):
            name, speech = f"Allison at {pitch}", resample(whole, round(RATE_HZ * pitch), RATE_HZ)
            first, second = np.array_split(speech, 2)
            for folder in {0: [name], 1: [name, "v-1"]}.get(place, [f"v-{place}"]):
                (box.recordings / folder).mkdir()
                soundfile.write(box.recordings / folder / "said.wav", np.resize(second, 22 * RATE_HZ), RATE_HZ)
            identity = Embedding.of(encoder.model, mean_voice(encoder.partials(first)), IDENTITY_SLOT)
            if place:  # the first one is a stranger
                store.put(profile(f"v-{place}", name=name, identity=identity))
    told = box.calibrate()
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    assert lines[1].split()[:3] == ["same", "speaker", "24"], "one of them has two folders"
    assert lines[2].split()[:3] == ["different", "speakers", "116"]
    assert lines[4] == "[voices]"
    found = json.loads(box.calibrate("--json").stdout)
    assert f"least_likeness = {found['least_likeness']:.2f}" == lines[5]
    assert (found["model"], found["people"], found["people_pairs"]) == ("resemblyzer", 5, 15)
    assert found["different"]["greatest"] < found["least_likeness"] <= found["same"]["greatest"]
