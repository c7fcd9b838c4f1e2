"""A call from a number that is on file: real Asterisk, real phones; the callee hears the caller's voice, then does not.

The voice is a toy's, another one of Kokoro's; whose it is, is what Resemblyzer hears in the callee's recording.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from recordings import prompt
from toys.cloning_tts import _load_synthesizers
from voice_store import change, voices_in

from appliance.config import Config
from appliance.demo.box import Box
from appliance.demo.call import InterpretedCall, demo_config
from appliance.demo.hearing import load_heard
from appliance.demo.say import Turn, to_telephone
from appliance.engines.protocols import ClonedVoice, Samples, Speech
from appliance.frames.messages import FirstAudio, HealthEvent
from appliance.media.resample import resample
from appliance.units import SAMPLE_RATE_HZ
from appliance.voices.identity import Encoder, likeness, load_encoder, mean_voice
from appliance.voices.resemblyzer import clean_speech

pytestmark = pytest.mark.call

NUMBER = "5511999990000"
SENTENCE = "Todos os nossos atendentes estão ocupados, aguarde na linha, por favor."


def test_the_callee_hears_the_callers_own_voice_until_consent_is_withdrawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}")
    config = demo_config(Config(), f"own-{os.getpid()}", ("en", "pt-br"))
    caller, callee = config.phones
    config = msgspec.structs.replace(
        config, phones=(msgspec.structs.replace(caller, name=NUMBER), callee), voices=voices_in(tmp_path)
    )
    change(
        config.voices,
        f"store.put(profile('v-ana', synthesis_model='toy', synthesis=(manner(1.0),), phone_numbers=('{NUMBER}',)))",
    )
    call = InterpretedCall(config, tmp_path)
    call.box = Box(config, tmp_path, "toys.cloning_table")
    turn = Turn("en", "announcement", to_telephone(prompt("queue-periodic-announce"), SAMPLE_RATE_HZ))
    call.start()
    with call:
        call.dial()
        call.interpret(turn)
        leg = json.loads(dragoman(call, "status", "--json"))["rooms"][0]["legs"][0]
        dragoman(call, "voices", "withdraw", "v-ana")
        own_until = len([entry for entry in call.box.entries() if isinstance(entry, FirstAudio)])
        call.interpret(turn)
        call.hang_up()
        entries = call.box.entries()

    assert (leg["speaker"], leg["chosen_by"]) == ("v-ana", "number")
    told = [entry for entry in entries if isinstance(entry, HealthEvent) and entry.component == "voice"]
    # Ana was enrolled with another encoder than the box has: her number still finds her, and technicians are told.
    (outdated,) = [event for event in told if event.status == "OUTDATED"]
    assert "v-ana was enrolled with other models than those in use" in outdated.action
    told.remove(outdated)
    assert [event.status for event in told] == ["CHOSEN", "CLONED", "DEGRADED"]
    assert "has withdrawn consent" in told[-1].action
    begins_ns = [entry.sent_ns for entry in entries if isinstance(entry, FirstAudio)]
    track = load_heard(call.heard("pt-br"), call.heard_from_ms("pt-br"))
    samples = track.samples.astype(np.float32) / np.float32(32_768)
    turns_at = round(((begins_ns[own_until] - call.start_ns) / 1e6 - track.start_ms) * 16) - 3_200
    encoder = load_encoder(Config().cache_dir.expanduser())
    own, stock = voices_of_the_toy(encoder)
    assert likeness(own, stock) < 0.7  # otherwise, nothing is proven
    first, second = voice_of(encoder, samples[:turns_at]), voice_of(encoder, samples[turns_at:])
    assert likeness(first, own) > 0.8 > likeness(first, stock)
    assert likeness(second, stock) > 0.8 > likeness(second, own)


def dragoman(call: InterpretedCall, *words: str) -> str:
    command = [sys.executable, "-m", "appliance.cli", *words, "--config", str(call.box.config_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def voices_of_the_toy(encoder: Encoder) -> tuple[Samples, Samples]:
    """What somebody's own voice and the stock voice sound like."""
    toy = _load_synthesizers(Config(cache_dir=Config().cache_dir.expanduser())).by_name["kokoro"]
    nobody = ClonedVoice("", np.zeros((32, 1024), np.float32), np.ones(512, np.float32))
    said = list(toy.synthesize_as(nobody, SENTENCE, "pt-br")), list(toy.synthesize(SENTENCE, "pt-br"))
    own, stock = (voice_of(encoder, *(_at_16_khz(piece) for piece in pieces)) for pieces in said)
    return own, stock


def voice_of(encoder: Encoder, *samples: Samples) -> Samples:
    return mean_voice(encoder.partials(clean_speech(np.concatenate(samples), SAMPLE_RATE_HZ)))


def _at_16_khz(piece: Speech) -> Samples:
    return resample(piece.samples, piece.rate_hz)
