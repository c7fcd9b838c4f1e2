"""A call whose caller's language nobody has told the box: real Asterisk, real phones, real speech, transcribed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from recordings import prompt

from appliance.config import Config
from appliance.demo.call import InterpretedCall, demo_config
from appliance.demo.hearing import load_heard, transcripts
from appliance.demo.report import Utterance, utterances
from appliance.demo.say import Turn, to_telephone
from appliance.demo.script import SENTENCES, spoken
from appliance.engines.registry import load_recognizer, load_synthesizer
from appliance.speech.words import shared_words
from appliance.units import SAMPLE_RATE_HZ

pytestmark = pytest.mark.call


def test_each_hears_the_other_in_their_language_from_the_first_word_on(tmp_path: Path) -> None:
    config = Config()
    portuguese = Turn("auto", "greeting", spoken(SENTENCES[0], load_synthesizer("kokoro", config)).samples)
    english = Turn("en", "announcement", to_telephone(prompt("queue-periodic-announce"), SAMPLE_RATE_HZ))
    call = InterpretedCall(demo_config(config, f"auto-{os.getpid()}", ("auto", "en")), tmp_path)
    call.start()
    with call:
        call.dial()
        call.interpret(portuguese)
        status, table = json.loads(shown_status(call, "--json")), shown_status(call, "--once")
        call.interpret(english)
        call.hang_up()
        said = utterances(call.box.entries(), call.start_ns)

    assert "auto → pt-br" in table
    legs = status["rooms"][0]["legs"]
    assert [(leg["language"], leg["found"]) for leg in legs] == [("auto", "pt-br"), ("en", "")]
    understood = " ".join(each.text for each in said if each.source_language == "pt-br")
    assert shared_words(SENTENCES[0], understood) >= 0.8  # what was said before the decision, too
    assert understood.lower().startswith("bom dia")
    to_english = [each for each in said if each.target_language == "en"]
    to_portuguese = [each for each in said if each.target_language == "pt-br"]
    assert heard_share(call, "en", to_english) >= 0.7
    assert heard_share(call, "auto", to_portuguese) >= 0.6  # of some twenty words: each is a twentieth


def shown_status(call: InterpretedCall, how: str) -> str:
    """What `dragoman status` says."""
    command = [sys.executable, "-m", "appliance.cli", "status", how, "--config", str(call.box.config_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def heard_share(call: InterpretedCall, phone: str, received: list[Utterance]) -> float:
    """How many words of the translations are in a transcript of what the phone has received."""
    assert received
    track = load_heard(call.heard(phone), call.heard_from_ms(phone))
    texts = transcripts(track, received, load_recognizer("whisper-base", Config()))
    return shared_words(" ".join(each.translation for each in received), " ".join(texts))
