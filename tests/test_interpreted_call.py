"""The call that counts: real Asterisk, real phones, real speech, and what the phones heard, transcribed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from appliance.config import Config
from appliance.demo.call import InterpretedCall, demo_config
from appliance.demo.hearing import load_heard
from appliance.demo.script import PROMPTS, SENTENCES, conversation, spoken
from appliance.engines.registry import load_synthesizer
from appliance.frames.messages import FirstAudio, HealthEvent, Translation
from appliance.speech.words import word_error_rate

pytestmark = pytest.mark.call

PROMPT_TEXTS = {
    "queue-periodic-announce": "All of our representatives are currently busy. Please stay on the line and your call "
    "will be answered by the next available representative.",
    "queue-youarenext": "Your call is now first in line and will be answered by the next available representative.",
    "pbx-invalid": "I am sorry, that's not a valid extension. Please try again.",
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Path]:
    """The report of `dragoman demo`, run as a stranger runs it, and the folder it filled."""
    out = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "appliance.cli", "demo", "--json", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout), out


def test_everything_said_was_interpreted_and_no_frame_dropped(demo: tuple[dict, Path]) -> None:
    report, _ = demo
    assert report["ok"]
    assert report["problems"] == []
    assert report["frames"]["dropped"] == 0
    assert report["frames"]["uplink"] > 1000
    assert report["frames"]["downlink"] > 500
    languages = [(each["source_language"], each["target_language"]) for each in report["utterances"]]
    assert languages.count(("en", "pt-br")) >= len(PROMPTS)
    assert languages.count(("pt-br", "en")) >= len(SENTENCES)
    for each in report["utterances"]:
        assert each["speech_start_ms"] < each["first_audio_ms"]
        assert each["lag_ms"] > 0
        assert each["chain_latency_ms"] == pytest.approx(each["first_audio_ms"] - each["speech_end_ms"], abs=1)


def test_the_english_person_was_understood(demo: tuple[dict, Path]) -> None:
    report, _ = demo
    heard = " ".join(each["text"] for each in report["utterances"] if each["source_language"] == "en")
    assert word_error_rate(" ".join(PROMPT_TEXTS[name] for name in PROMPTS), heard) <= 0.15


@pytest.mark.parametrize("listener", ["pt-br", "en"])
def test_what_a_phone_received_says_what_was_translated(demo: tuple[dict, Path], listener: str) -> None:
    report, _ = demo
    assert report["heard_share"][listener] >= 0.7


def test_the_demo_leaves_recordings_and_a_picture(demo: tuple[dict, Path]) -> None:
    report, out = demo
    assert (out / "call.png").read_bytes().startswith(b"\x89PNG")
    for path in report["heard"].values():
        samples, rate_hz = soundfile.read(path)
        assert rate_hz == 16_000
        assert np.abs(samples).max() > 0.05


@pytest.fixture
def call(tmp_path: Path):
    """A call that is up, between an English and a Portuguese phone."""
    made = InterpretedCall(demo_config(Config(), f"test-{os.getpid()}", ("pt-br", "en")), tmp_path)
    made.start()
    with made:
        made.dial()
        yield made


def longest_silence_ms(samples: np.ndarray, rate_hz: int) -> float:
    """The longest run of 10 ms windows below -50 dBFS between the first and the last that is louder."""
    window = rate_hz // 100
    loud = np.abs(samples[: len(samples) // window * window].reshape(-1, window)).max(axis=1) > 100
    places = np.flatnonzero(loud)
    return 10.0 * (np.diff(places).max() - 1) if len(places) > 1 else 0.0


def test_a_killed_media_process_leaves_the_call_up_and_hardly_a_gap(call: InterpretedCall) -> None:
    turn = spoken(
        "O carro azul que eu comprei na semana passada já chegou na minha casa", load_synthesizer("kokoro", Config())
    )
    call.say(turn)
    call.box.wait_for(lambda entry: isinstance(entry, FirstAudio), 30)
    killed = call.box.kill("rtp")
    call.box.wait_for(
        lambda entry: isinstance(entry, HealthEvent) and (entry.component, entry.action) == ("rtp", "ready"), 10,
        after=len(call.box.entries()),
    )  # fmt: skip
    assert call.box.process_id("rtp") != killed
    call.interpret(turn)
    call.hang_up()

    translations = [entry for entry in call.box.entries() if isinstance(entry, Translation)]
    assert len(translations) >= 2
    track = load_heard(call.heard("en"), call.heard_from_ms("en"))
    first = next(entry for entry in call.box.entries() if isinstance(entry, FirstAudio))
    begin_ms = (first.sent_ns - call.start_ns) / 1e6 - track.start_ms
    interrupted = track.samples[int(begin_ms * 16) : int((begin_ms + 3000) * 16)]
    assert longest_silence_ms(interrupted, track.rate_hz) <= 500


def shared_objects(instance: str) -> list[str]:
    """The shared memory and semaphores of an instance."""
    names = [path.name.removeprefix("sem.") for path in Path("/dev/shm").iterdir()]
    return [name for name in names if f"{name}-".startswith(f"dragoman-{instance}-")]


def test_a_box_that_is_stopped_leaves_nothing_behind(call: InterpretedCall) -> None:
    instance = call.box.config.instance
    call.interpret(conversation((), Config(), lambda: load_synthesizer("kokoro", Config()))[1])
    assert shared_objects(instance)
    pids = [call.box.process_id(name) for name in ("rtp", "asr", "mt", "tts", "calls")]

    assert call.box.stop() == 0

    assert not shared_objects(instance)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert "0 active channels" in call.asterisk.command("core show channels count")
    assert call.asterisk.command("bridge show all").strip().count("\n") == 0
