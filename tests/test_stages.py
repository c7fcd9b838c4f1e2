"""asr, mt and tts over real shared memory, with engines that answer at once."""

import threading
import uuid
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import soundfile

import procs.asr
import procs.mt
import procs.tts
from appliance.config import Config
from appliance.demo.asterisk import asterisk_tree
from appliance.engines.model_files import assemble, manifest
from appliance.engines.protocols import ClauseSizes, EngineError, Recognition, Samples, Speech
from appliance.engines.registry import load_recognizer, load_voice_detector
from appliance.frames.memory import Memory
from appliance.frames.messages import JournalEntry, LogLine, Segment, Spoken, Translation
from appliance.frames.ring import END, START, Frame
from appliance.frames.roster import Lane, Leg, Roster
from appliance.frames.text import TextReader, TextWriter
from appliance.media.resample import resample
from appliance.speech.endpointing import EndpointPolicy
from appliance.speech.trimming import trimmed
from appliance.speech.words import shared_words, word_error_rate
from appliance.stages.listening import Listener
from appliance.supervision.context import Context
from appliance.supervision.process_table import PROCESS_NAMES, WORKERS
from appliance.units import FRAME_BYTES, FRAME_NS, FRAME_SAMPLES, NS_PER_MS, SAMPLE_RATE_HZ

PATIENCE_S = 60
LEGS = (Leg(0, 7, "r1", "en", None), Leg(1, 3, "r1", "pt-br", None))
LANES = (Lane(0, 1, 0, "pt-br", 0), Lane(1, 1, 1, "en", 1))
ROSTER = Roster(LEGS, LANES)
SPEECH_STARTS_NS = 5_000_000_000


class Killed(BaseException):
    """Stands for a process that dies in the middle of an engine call."""


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


class ToyTranslator:
    pairs = frozenset({("en", "pt-br"), ("pt-br", "en")})

    def __init__(self) -> None:
        self.killed_by: set[str] = set()

    def warm(self) -> None: ...

    def translate(self, text: str, source: str, target: str) -> str:
        if text in self.killed_by:
            self.killed_by.remove(text)
            raise Killed
        if text == "untranslatable":
            raise EngineError("there is no word for it")
        return f"{text} ({source} to {target})"


class ToySynthesizer:
    """Each character is 3 ms of a tone at 8 kHz."""

    languages = frozenset({"pt-br", "en"})
    clause_sizes = ClauseSizes(first_chars=20, growth=1, longest_chars=20)

    def __init__(self) -> None:
        self.spoken: list[str] = []
        self.killed_by: set[str] = set()
        self.hangs_up: Callable[[], object] = lambda: None

    def warm(self) -> None: ...

    def synthesize(self, text: str, language: str, speed: float = 1.0) -> Iterator[Speech]:
        assert (language, speed) in {("pt-br", 1.0), ("en", 1.0)}
        self.hangs_up()
        self.spoken.append(text)
        if text in self.killed_by:
            self.killed_by.remove(text)
            raise Killed
        if text == "unspeakable":
            raise EngineError("it has no sound")
        quiet = np.zeros(800, np.float32)
        tone = (0.5 * np.sin(np.arange(24 * len(text)) * 0.5)).astype(np.float32)
        yield Speech(np.concatenate((quiet, tone, quiet)), 8_000)


class Appliance:
    """The shared memory, and processes that run in threads."""

    def __init__(self) -> None:
        self.config = Config(instance=f"test-{uuid.uuid4().hex[:8]}")
        self.memory = Memory.create(self.config, PROCESS_NAMES)
        self.memory.write_roster(ROSTER)
        self._running: list[tuple[Context, threading.Thread]] = []

    def start(self, name: str, main: Callable[[Context], None]) -> Context:
        process = next(process for process in WORKERS if process.name == name)
        context = Context(process, self.config, Memory.attach(self.config.instance))
        thread = threading.Thread(target=self._live, args=(main, context))
        thread.start()
        self._running.append((context, thread))
        return context

    @staticmethod
    def _live(main: Callable[[Context], None], context: Context) -> None:
        try:
            main(context)
        except Killed:
            context.vitals.set("calls", 1)  # a mark for the test: dead

    def wait_for_death(self) -> None:
        self._running.pop()[1].join(PATIENCE_S)

    def stop(self) -> None:
        for context, thread in self._running:
            context.stopping = True
            thread.join(PATIENCE_S)
        self._running.clear()

    def close(self) -> None:
        self.stop()
        self.memory.unlink()
        self.memory.close()


@pytest.fixture
def appliance() -> Iterator[Appliance]:
    made = Appliance()
    yield made
    made.close()


def wait_until(happens: Callable[[], bool]) -> None:
    """Until something has happened, however slow this machine is today."""
    over = threading.Event()
    for _ in range(PATIENCE_S * 100):
        if happens():
            return
        over.wait(0.01)
    raise AssertionError("it never happened")


class Mailbox:
    """Collects messages from a ring."""

    def __init__(self, memory: Memory, ring: str, index: int | str, record: type) -> None:
        self._reader = TextReader(memory.reader(ring, index), record)
        self.messages: list = []

    def collect(self, count: int) -> list:
        """The first `count` messages ever; waits for them."""

        def enough() -> bool:
            while (message := self._reader.read()) is not None:
                self.messages.append(message)
            return len(self.messages) >= count

        wait_until(enough)
        return self.messages


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


# --- mt ---


def a_segment(text: str, number: int, leg: int = 0, call: int = 7, language: str = "en") -> Segment:
    at_ns = SPEECH_STARTS_NS + number * 1000 * NS_PER_MS
    return Segment(leg, call, 50 * number, 0, True, at_ns, at_ns + 600 * NS_PER_MS, language, text, 80.0)


@pytest.fixture
def translator(monkeypatch: pytest.MonkeyPatch) -> ToyTranslator:
    toy = ToyTranslator()
    monkeypatch.setattr(procs.mt, "load_translator", lambda _name, _config: toy)
    return toy


@pytest.fixture
def translations(appliance: Appliance) -> Mailbox:
    return Mailbox(appliance.memory, "translations", 0, Translation)


@pytest.mark.usefixtures("translator")
def test_mt_translates_for_every_lane_of_the_leg_and_tells_the_journal(
    appliance: Appliance, translations: Mailbox
) -> None:
    lanes = (*LANES, Lane(2, 1, 0, "es", 2), Lane(3, 1, 0, "en", 3))
    appliance.memory.write_roster(Roster(LEGS, lanes))
    appliance.start("mt", procs.mt.main)
    segment = a_segment("good morning", 1)
    TextWriter(appliance.memory.writer("segments")).write(segment)
    pt, es, en = translations.collect(3)
    assert [(each.lane, each.target_language) for each in (pt, es, en)] == [(0, "pt-br"), (2, "es"), (3, "en")]
    assert pt.text == "good morning (en to pt-br)"
    assert (pt.source, pt.seq_num, pt.revision, pt.final) == (segment, 50, 0, True)
    journal = Mailbox(appliance.memory, "journal", "mt", JournalEntry)
    assert journal.collect(3) == [pt, es, en]


@pytest.mark.usefixtures("translator")
def test_mt_leaves_out_dead_calls_repeats_and_what_its_engine_cannot(
    appliance: Appliance, translations: Mailbox
) -> None:
    mt = appliance.start("mt", procs.mt.main)
    writer = TextWriter(appliance.memory.writer("segments"))
    for segment in (
        a_segment("from an old call", 1, call=6),
        a_segment("one", 2),
        a_segment("one", 2),
        a_segment("untranslatable", 3),
        a_segment("um", 2, leg=1, call=3, language="pt-br"),
        a_segment("two", 4),
    ):
        writer.write(segment)
    assert [each.text for each in translations.collect(3)] == [
        "one (en to pt-br)",
        "um (pt-br to en)",
        "two (en to pt-br)",
    ]
    assert mt.vitals.get("dropped_messages") == 1
    assert mt.vitals.get("engine_errors") == 1


def test_a_killed_mt_translates_what_it_had_not_written(
    appliance: Appliance, translator: ToyTranslator, translations: Mailbox
) -> None:
    translator.killed_by = {"two"}
    writer = TextWriter(appliance.memory.writer("segments"))
    appliance.start("mt", procs.mt.main)
    for number, text in enumerate(("one", "two", "three"), 1):
        writer.write(a_segment(text, number))
    appliance.wait_for_death()
    appliance.start("mt", procs.mt.main)
    assert [each.source.text for each in translations.collect(3)] == ["one", "two", "three"]


# --- tts ---


def a_translation(text: str, number: int, lane: int = 0, **source: int) -> Translation:
    target = LANES[lane].target_language
    segment = a_segment("…", number, leg=LANES[lane].leg, call=source.get("call", LEGS[LANES[lane].leg].call))
    return Translation(lane, segment.seq_num, 0, True, segment, target, text, 10.0)


@pytest.fixture
def synthesizer(monkeypatch: pytest.MonkeyPatch) -> ToySynthesizer:
    toy = ToySynthesizer()
    monkeypatch.setattr(procs.tts, "load_synthesizers", lambda _: {"*": toy})
    return toy


class Ear:
    """Collects what comes down a lane."""

    def __init__(self, memory: Memory, lane: int) -> None:
        self._downlink = memory.reader("downlink", lane)
        self.frames: list[Frame] = []

    def hears(self, ends: int) -> list[Frame]:
        """All frames so far; waits until that many translations are over."""

        def enough() -> bool:
            self.frames += self._downlink.pop_many(1000)
            return sum(bool(frame.flags & END) for frame in self.frames) >= ends

        wait_until(enough)
        return self.frames


def test_tts_speaks_clause_by_clause_with_one_start_and_one_end(
    appliance: Appliance, synthesizer: ToySynthesizer
) -> None:
    ear = Ear(appliance.memory, 0)
    appliance.start("tts", procs.tts.main)
    translation = a_translation("Bom dia, minha senhora. Como vai a família toda?", 3)
    TextWriter(appliance.memory.writer("translations")).write(translation)
    frames = ear.hears(1)
    assert len(synthesizer.spoken) > 2
    assert [frame.flags for frame in frames] == [START, *[0] * (len(frames) - 2), END]
    assert {frame.stream for frame in frames} == {translation.seq_num}
    assert {frame.capture_ns for frame in frames} == {translation.source.end_ns}
    assert {len(frame.payload) for frame in frames} == {FRAME_BYTES}
    (spoken,) = Mailbox(appliance.memory, "journal", "tts", JournalEntry).collect(1)
    assert isinstance(spoken, Spoken)
    assert (spoken.lane, spoken.seq_num, spoken.frames) == (0, translation.seq_num, len(frames))
    assert 0 < spoken.tts_first_ms <= spoken.tts_ms


@pytest.mark.usefixtures("synthesizer")
def test_what_is_said_arrives_whole_between_its_silences(appliance: Appliance) -> None:
    ear = Ear(appliance.memory, 1)
    appliance.start("tts", procs.tts.main)
    TextWriter(appliance.memory.writer("translations")).write(a_translation("x" * 300, 1, lane=1))
    frames = ear.hears(1)
    sound = np.frombuffer(b"".join(frame.payload for frame in frames), "<i2") / 32_768
    loud = np.flatnonzero(np.abs(sound) > 0.1) / SAMPLE_RATE_HZ
    assert abs(loud[-1] - loud[0] - 300 * 0.003) < 0.02
    assert loud[0] < 0.05  # the silence before the speech is gone
    assert np.abs(sound).max() == pytest.approx(0.5, abs=0.05)


@pytest.mark.usefixtures("synthesizer")
def test_nothing_to_say_is_not_said(appliance: Appliance) -> None:
    ear = Ear(appliance.memory, 0)
    appliance.start("tts", procs.tts.main)
    writer = TextWriter(appliance.memory.writer("translations"))
    writer.write(a_translation("", 1))
    writer.write(a_translation("oi", 2))
    assert {frame.stream for frame in ear.hears(1)} == {100}
    assert [entry.seq_num for entry in Mailbox(appliance.memory, "journal", "tts", JournalEntry).collect(1)] == [100]


def test_tts_drops_dead_calls_and_repeats_and_survives_its_engine(
    appliance: Appliance, synthesizer: ToySynthesizer
) -> None:
    ear = Ear(appliance.memory, 0)
    tts = appliance.start("tts", procs.tts.main)
    writer = TextWriter(appliance.memory.writer("translations"))
    for translation in (
        a_translation("de outra chamada", 1, call=6),
        a_translation("um", 2),
        a_translation("um", 2),
        a_translation("unspeakable", 3),
        a_translation("dois", 4),
    ):
        writer.write(translation)
    frames = ear.hears(2)
    assert [frame.stream for frame in frames if frame.flags & START] == [100, 200]
    assert synthesizer.spoken == ["um", "unspeakable", "dois"]
    assert tts.vitals.get("dropped_messages") == 2
    assert tts.vitals.get("engine_errors") == 1
    journal = Mailbox(appliance.memory, "journal", "tts", JournalEntry).collect(3)
    assert [type(entry) for entry in journal] == [Spoken, LogLine, Spoken]


def test_lanes_take_turns_and_each_keeps_its_order(appliance: Appliance, synthesizer: ToySynthesizer) -> None:
    ears = Ear(appliance.memory, 0), Ear(appliance.memory, 1)
    writer = TextWriter(appliance.memory.writer("translations"))
    writer.write(a_translation("A primeira pessoa diz uma coisa muito longa, e depois ainda mais.", 1))
    writer.write(a_translation("E outra.", 2))
    writer.write(a_translation("Short answer.", 1, lane=1))
    appliance.start("tts", procs.tts.main)
    assert [frame.stream for frame in ears[0].hears(2) if frame.flags & START] == [50, 100]
    assert [frame.stream for frame in ears[1].hears(1) if frame.flags & START] == [50]
    assert synthesizer.spoken[1] == "Short answer."
    assert synthesizer.spoken[-1] == "E outra."


def test_what_is_said_for_a_call_that_ends_is_broken_off(appliance: Appliance, synthesizer: ToySynthesizer) -> None:
    ear = Ear(appliance.memory, 0)
    synthesizer.hangs_up = lambda: appliance.memory.write_roster(Roster())
    tts = appliance.start("tts", procs.tts.main)
    writer = TextWriter(appliance.memory.writer("translations"))
    writer.write(a_translation("Primeiro vinte aqui, e mais vinte letras.", 1))
    ear.hears(1)
    assert synthesizer.spoken == ["Primeiro vinte aqui,"]
    wait_until(lambda: tts.vitals.get("dropped_messages") == 1)


def test_a_killed_tts_says_again_what_it_had_not_finished(appliance: Appliance, synthesizer: ToySynthesizer) -> None:
    ear = Ear(appliance.memory, 0)
    synthesizer.killed_by = {"e mais vinte letras."}
    appliance.start("tts", procs.tts.main)
    writer = TextWriter(appliance.memory.writer("translations"))
    writer.write(a_translation("antes", 1))
    writer.write(a_translation("Primeiro vinte aqui, e mais vinte letras.", 2))
    appliance.wait_for_death()
    appliance.start("tts", procs.tts.main)
    frames = ear.hears(2)
    starts = [(frame.stream, frame.generation) for frame in frames if frame.flags & START]
    assert starts == [(50, 1), (100, 1), (100, 2)]
    translations = appliance.memory.ring_state("translations")
    wait_until(lambda: appliance.memory.ring_state("translations").committed == translations.head)
    assert synthesizer.spoken.count("antes") == 1


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
