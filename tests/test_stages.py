"""asr over real shared memory, with an engine that answers at once; and all three stages with the real ones."""

import threading

import numpy as np
import pytest
import soundfile
from stages import LEGS, PATIENCE_S, SPEECH_STARTS_NS, Appliance, Ear, Killed, Mailbox, wait_until

import procs.asr
import procs.mt
import procs.tts
from appliance.config import Config
from appliance.demo.asterisk import asterisk_tree
from appliance.engines.model_files import assemble, manifest
from appliance.engines.protocols import EngineError, Recognition, Samples
from appliance.engines.registry import load_recognizer, load_voice_detector
from appliance.frames.memory import Memory
from appliance.frames.messages import JournalEntry, Segment
from appliance.frames.roster import Leg, Roster
from appliance.media.resample import resample
from appliance.speech.endpointing import EndpointPolicy
from appliance.speech.trimming import trimmed
from appliance.speech.words import shared_words, word_error_rate
from appliance.stages.listening import Listener
from appliance.units import FRAME_NS, FRAME_SAMPLES, NS_PER_MS, SAMPLE_RATE_HZ


class LoudnessDetector:
    """Speech is what is loud."""

    window_samples = 512
    state_size = 1

    def warm(self) -> None: ...

    def detect(self, windows: Samples, state: Samples) -> tuple[Samples, Samples]:
        return (np.abs(windows).max(axis=1) > 0.1).astype(np.float32), state


class ToneRecognizer:
    """Says how loud what it hears is, in percent: each test utterance has a loudness of its own."""

    languages = frozenset({"en", "pt"})

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.killed_by: set[str] = set()
        self.free = threading.Event()
        self.free.set()

    def warm(self) -> None: ...

    def recognize(self, samples: Samples, language: str) -> Recognition:
        text = f"{round(100 * float(np.abs(samples).max()))} percent"
        self.heard.append((text, language))
        self.free.wait(PATIENCE_S)
        if text in self.killed_by:
            self.killed_by.remove(text)
            raise Killed
        if text == "66 percent":
            raise EngineError("the recognizer cannot hear 66")
        return Recognition("" if text == "13 percent" else text, language)


# --- asr ---


class Mouth:
    """Somebody who speaks into an uplink: tones of a given loudness, frame by frame."""

    def __init__(self, memory: Memory, leg: int) -> None:
        self._uplink = memory.writer("uplink", leg)
        self._now_ns = SPEECH_STARTS_NS

    def makes(self, loudness: float, duration_ms: int) -> int:
        """Returns the sequence of the first frame."""
        frame = np.full(FRAME_SAMPLES, loudness * 32_768, "<i2").tobytes()
        sequences = []
        for _ in range(duration_ms // 20):
            sequences.append(self._uplink.push(frame, capture_ns=self._now_ns))
            self._now_ns += FRAME_NS
        return sequences[0]

    def plays(self, samples: Samples) -> None:
        """A recording at 16 kHz."""
        for first in range(0, len(samples) - FRAME_SAMPLES, FRAME_SAMPLES):
            frame = (samples[first : first + FRAME_SAMPLES] * 32_767).astype("<i2").tobytes()
            self._uplink.push(frame, capture_ns=self._now_ns)
            self._now_ns += FRAME_NS

    def says(self, percent: int, duration_ms: int = 640) -> int:
        first = self.makes(percent / 100, duration_ms)
        self.makes(0, 800)
        return first


def prompt(name: str) -> Samples:
    """One of Asterisk's recordings of a person, at 16 kHz."""
    path = asterisk_tree(Config()) / "usr/share/asterisk/sounds/en_US_f_Allison" / f"{name}.gsm"
    samples, rate_hz = soundfile.read(
        path, dtype="float32", format="RAW", subtype="GSM610", samplerate=8000, channels=1
    )
    return resample(samples, rate_hz)


@pytest.fixture
def recognizer(monkeypatch: pytest.MonkeyPatch) -> ToneRecognizer:
    toy = ToneRecognizer()
    monkeypatch.setattr(procs.asr, "load_voice_detector", lambda _: LoudnessDetector())
    monkeypatch.setattr(procs.asr, "load_recognizers", lambda _: {"*": toy})
    return toy


@pytest.fixture
def segments(appliance: Appliance) -> Mailbox:
    return Mailbox(appliance.memory, "segments", 0, Segment)


@pytest.mark.usefixtures("recognizer")
def test_asr_says_what_was_said_by_whom_and_when(appliance: Appliance, segments: Mailbox) -> None:
    appliance.start("asr", procs.asr.main)
    mouth = Mouth(appliance.memory, 1)
    mouth.makes(0, 1000)
    first = mouth.says(42)
    (segment,) = segments.collect(1)
    assert (segment.leg, segment.call, segment.language, segment.text) == (1, 3, "pt-br", "42 percent")
    assert (segment.revision, segment.final) == (0, True)
    said_ns = SPEECH_STARTS_NS + 1000 * NS_PER_MS
    assert -240 <= (segment.start_ns - said_ns) / NS_PER_MS <= -160  # pre-roll
    assert -32 <= (segment.end_ns - said_ns) / NS_PER_MS - 640 <= 32
    assert first - 12 <= segment.seq_num <= first - 8


@pytest.mark.usefixtures("recognizer")
def test_asr_keeps_legs_apart_and_utterances_in_order(appliance: Appliance, segments: Mailbox) -> None:
    appliance.start("asr", procs.asr.main)
    mouths = Mouth(appliance.memory, 0), Mouth(appliance.memory, 1)
    for percent in (20, 30, 40):
        for leg, mouth in enumerate(mouths):
            mouth.says(percent + leg)
        segments.collect(2 * (percent // 10 - 1))
    for leg in (0, 1):
        mine = [segment for segment in segments.messages if segment.leg == leg]
        assert [segment.text for segment in mine] == [f"{percent + leg} percent" for percent in (20, 30, 40)]
        assert [segment.seq_num for segment in mine] == sorted({segment.seq_num for segment in mine})


def test_an_utterance_is_recognised_in_its_pause_and_not_again_at_its_end(
    appliance: Appliance, recognizer: ToneRecognizer, segments: Mailbox
) -> None:
    appliance.start("asr", procs.asr.main)
    mouth = Mouth(appliance.memory, 0)
    mouth.makes(0.3, 640)
    mouth.makes(0, 240)
    wait_until(lambda: len(recognizer.heard) == 1)  # nobody knows yet whether it is over
    assert segments.messages == []
    mouth.makes(0, 400)
    assert [segment.text for segment in segments.collect(1)] == ["30 percent"]
    assert recognizer.heard == [("30 percent", "en")]


def test_a_guess_is_forgotten_when_speech_goes_on(
    appliance: Appliance, recognizer: ToneRecognizer, segments: Mailbox
) -> None:
    appliance.start("asr", procs.asr.main)
    mouth = Mouth(appliance.memory, 0)
    mouth.makes(0.3, 640)
    mouth.makes(0, 240)
    wait_until(lambda: len(recognizer.heard) == 1)
    mouth.says(50)
    assert [segment.text for segment in segments.collect(1)] == ["50 percent"]


def test_sound_without_words_and_a_failing_engine_give_no_segment(
    appliance: Appliance, recognizer: ToneRecognizer, segments: Mailbox
) -> None:
    context = appliance.start("asr", procs.asr.main)
    mouth = Mouth(appliance.memory, 0)
    for percent in (13, 66, 77):
        mouth.says(percent)
        wait_until(lambda wanted=f"{percent} percent": any(text == wanted for text, _ in recognizer.heard))
    assert [segment.text for segment in segments.collect(1)] == ["77 percent"]
    assert context.vitals.get("engine_errors") >= 1


def test_a_killed_asr_hears_again_what_it_had_not_given_out_and_nothing_else(
    appliance: Appliance, recognizer: ToneRecognizer, segments: Mailbox
) -> None:
    mouth = Mouth(appliance.memory, 0)
    recognizer.killed_by = {"40 percent"}
    appliance.start("asr", procs.asr.main)
    mouth.says(20)
    segments.collect(1)
    mouth.says(40)
    appliance.wait_for_death()
    mouth.says(60)  # while nobody listens
    appliance.start("asr", procs.asr.main)
    assert [segment.text for segment in segments.collect(3)] == ["20 percent", "40 percent", "60 percent"]
    assert [text for text, _ in recognizer.heard].count("20 percent") == 1


def committed(appliance: Appliance) -> int:
    return appliance.memory.ring_state("uplink", 0).committed


@pytest.mark.usefixtures("recognizer")
def test_the_next_call_at_a_place_hears_nothing_of_the_one_before(appliance: Appliance, segments: Mailbox) -> None:
    asr = appliance.start("asr", procs.asr.main)
    mouth = Mouth(appliance.memory, 0)
    mouth.says(20)
    segments.collect(1)
    mouth.makes(0.3, 400)  # hangs up in the middle of a word
    appliance.memory.write_roster(Roster())
    wait_until(lambda: committed(appliance) == appliance.memory.ring_state("uplink", 0).head)
    appliance.memory.write_roster(Roster((Leg(0, 8, "r2", "pt-br", None),), ()))
    mouth.says(50)
    assert [(each.call, each.text) for each in segments.collect(2)] == [(7, "20 percent"), (8, "50 percent")]
    assert asr.vitals.get("dropped_frames") == 0


def test_an_overrun_costs_the_utterance_it_hits_and_is_counted(
    appliance: Appliance, recognizer: ToneRecognizer, segments: Mailbox
) -> None:
    recognizer.free.clear()  # an engine call that takes very long
    asr = appliance.start("asr", procs.asr.main)
    mouth = Mouth(appliance.memory, 0)
    mouth.says(20)
    wait_until(lambda: len(recognizer.heard) == 1)
    mouth.makes(0.3, 640)
    mouth.makes(0.4, 12_000)  # laps the ring
    recognizer.free.set()
    segments.collect(1)
    mouth.says(50, 1000)
    mouth.says(60)
    wait_until(lambda: segments.collect(2)[-1].text == "60 percent")
    assert "30 percent" not in [segment.text for segment in segments.messages]
    assert asr.vitals.get("dropped_frames") >= 32


def test_the_first_word_after_a_long_silence_is_heard_whole(appliance: Appliance) -> None:
    detector = load_voice_detector(appliance.config)
    listener = Listener(LEGS[0], appliance.memory.reader("uplink", 0), detector, EndpointPolicy())
    mouth = Mouth(appliance.memory, 0)
    for _ in range(15):
        mouth.makes(0, 1000)
        assert list(listener.hear()) == []
    speech = trimmed(prompt("vm-nobodyavail"), SAMPLE_RATE_HZ)
    mouth.plays(speech)
    mouth.makes(0, 800)
    (heard,) = listener.hear()
    assert 100 <= 15_000 - (heard.start_ns - SPEECH_STARTS_NS) / NS_PER_MS <= 300


# --- all three, with the real engines ---


def test_a_person_is_interpreted(appliance: Appliance) -> None:
    for model in manifest().values():
        if model.assembled:
            assemble(model, appliance.config.cache_dir)
    for name, main in (("asr", procs.asr.main), ("mt", procs.mt.main), ("tts", procs.tts.main)):
        appliance.start(name, main)
    ear, journal = Ear(appliance.memory, 0), Mailbox(appliance.memory, "journal", "mt", JournalEntry)
    mouth = Mouth(appliance.memory, 0)
    mouth.makes(0, 400)
    mouth.plays(prompt("vm-nobodyavail"))
    mouth.makes(0, 800)
    heard = b"".join(frame.payload for frame in ear.hears(1))
    (translation,) = journal.collect(1)
    assert word_error_rate("Nobody is available to take your call at the moment.", translation.source.text) <= 0.15
    assert shared_words("Ninguém está disponível no momento.", translation.text) >= 0.7
    back = load_recognizer("whisper-base", appliance.config).recognize(
        np.frombuffer(heard, "<i2").astype(np.float32) / 32_768, "pt-br"
    )
    assert shared_words(translation.text, back.text) >= 0.7
