"""A call end to end with XTTS: who is on file is heard in another language, in their own voice, without a hole.

The model is small and random: what is heard is noise, louder than the original beneath it, and for as long as a slow
speaker would take.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest
from checkpoints import make_checkpoint
from numpy.typing import NDArray
from recordings import prompt
from speakers import PROMPTS
from voice_samples import CONSENT, NOW
from voice_store import voices_in

from appliance.commands.voice_enrolment import learned
from appliance.config import Config
from appliance.demo.call import InterpretedCall, demo_config
from appliance.demo.hearing import load_heard
from appliance.demo.say import Turn, to_telephone
from appliance.frames.messages import FirstAudio, HealthEvent, Spoken
from appliance.units import FRAME_MS, NS_PER_MS, SAMPLE_RATE_HZ
from appliance.voices.enrolment import Wish, enrol
from appliance.voices.identity import load_encoder
from appliance.voices.intake import Recording
from appliance.voices.store import VoiceStore
from appliance.xtts.acceptance import accept, licence_text

pytestmark = [pytest.mark.call, pytest.mark.alone]

NUMBER = "5511999990000"
NEEDED_S = 20.0
LOOK_SAMPLES = SAMPLE_RATE_HZ // 100
LOUD = 3_000  # nothing of the original is
LONGEST_PAUSE_MS = 250  # between two clauses


def test_the_callee_hears_every_clause_in_the_callers_own_voice_without_a_hole(tmp_path: Path) -> None:
    call = InterpretedCall(config_of(tmp_path), tmp_path)
    put_ana_on_file(call.box.config)
    turn = Turn("en", "pbx-invalid", to_telephone(prompt("pbx-invalid"), SAMPLE_RATE_HZ))
    call.start()
    with call:
        call.dial()
        call.interpret(turn)
        call.hang_up()
        entries, counters = call.box.entries(), call.box.counters()

    voices = [entry for entry in entries if isinstance(entry, HealthEvent) and entry.component == "voice"]
    assert [event.status for event in voices] == ["CHOSEN", "CLONED"]
    spoken = [entry for entry in entries if isinstance(entry, Spoken)]
    begun = [entry.sent_ns for entry in entries if isinstance(entry, FirstAudio)]
    assert len(begun) == len(spoken) >= 2
    for clause in spoken:
        assert clause.tts_first_ms < clause.tts_ms  # its first frames were on their way before its last were spoken
    underruns = counters["rtp"].get("underruns", 0)
    if all(clause.tts_ms - clause.tts_first_ms < heard_ms(clause) / 2 for clause in spoken):
        assert underruns == 0  # else the machine has too much other work to speak without a hole

    track = load_heard(call.heard("pt-br"), call.heard_from_ms("pt-br"))
    voice_from_ms = (begun[0] - call.start_ns) / NS_PER_MS - track.start_ms
    heard = heard_at(track.samples)
    assert heard[0] == pytest.approx(voice_from_ms, abs=500)  # the recording has its own idea of when it began
    assert np.count_nonzero(np.diff(heard) > LONGEST_PAUSE_MS) <= underruns + len(spoken) - 1
    # A lane that is behind its speaker is played up to a quarter faster.
    assert len(heard) * 10 > 0.7 * sum(map(heard_ms, spoken))


def heard_ms(clause: Spoken) -> int:
    """How long a clause is heard."""
    return clause.frames * FRAME_MS


def heard_at(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """When the voice is heard, in ms: one number for each 10 ms of it."""
    levels = np.abs(samples[: len(samples) // LOOK_SAMPLES * LOOK_SAMPLES].reshape(-1, LOOK_SAMPLES)).max(axis=1)
    return np.flatnonzero(levels > LOUD) * 10.0


def config_of(folder: Path) -> Config:
    """A box with a tiny XTTS, which knows the caller's number, and which gives no words up however long it speaks."""
    config = demo_config(Config(), f"xtts-{os.getpid()}", ("en", "pt-br"))
    caller, callee = config.phones
    model = make_checkpoint(folder / "model", stop_bias=-1000.0, loudness=30.0)
    (model / "LICENSE.txt").write_text("the terms of the model")
    accept(licence_text(model), "Ana", datetime.now(UTC), folder / "accepted.json")
    xtts = msgspec.structs.replace(config.cloud.xtts, folder=model, acceptance_file=folder / "accepted.json", streams=2)
    synthesizers = {"en": "piper", "pt-br": "xtts"}
    return msgspec.structs.replace(
        config,
        phones=(msgspec.structs.replace(caller, name=NUMBER), callee),
        voices=voices_in(folder),
        cloud=msgspec.structs.replace(config.cloud, xtts=xtts),
        engines=msgspec.structs.replace(config.engines, synthesizers=synthesizers, most_behind_ms=60_000),
    )


def put_ana_on_file(config: Config) -> None:
    """Enrol her as `dragoman voices enrol` does, with less speech."""
    config = msgspec.structs.replace(config, cache_dir=config.cache_dir.expanduser())
    encoder = load_encoder(config.cache_dir)
    recordings = [Recording(f"{name}.wav", SAMPLE_RATE_HZ, 1, prompt(name)) for name in PROMPTS[:4]]
    wish = Wish("Ana", CONSENT, (NUMBER,))
    profile = learned(enrol(recordings, wish, encoder, NOW, needed_s=NEEDED_S), config, encoder)
    assert profile.synthesis, "XTTS has learned her voice"
    with VoiceStore(config.voices.folder, config.voices.key_file) as store:
        store.put(profile)
