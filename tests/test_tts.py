"""tts over real shared memory, with an engine that answers at once."""

import threading
from collections.abc import Callable, Iterator

import msgspec
import numpy as np
import pytest
from stages import Appliance, Ear, Killed, Mailbox, a_translation, wait_until

import procs.tts
from appliance.config import EnginesConfig
from appliance.engines.protocols import ClauseSizes, EngineError, EngineUnavailable, Speech
from appliance.engines.registry import Engines
from appliance.frames.messages import HealthEvent, JournalEntry, LogLine, Spoken, Translation, clause_of, clause_stream
from appliance.frames.ring import END, START
from appliance.frames.roster import Roster
from appliance.frames.text import TextWriter
from appliance.recovery.breaker import State
from appliance.speech.clauses import SENTENCE_PAUSE_MS
from appliance.supervision import stillness
from appliance.units import FRAME_BYTES, FRAME_MS, NS_PER_MS, NS_PER_S, SAMPLE_RATE_HZ


class ToySynthesizer:
    """Each character is 3 ms of a tone at 8 kHz."""

    languages = frozenset({"pt-br", "en"})
    clause_sizes = ClauseSizes(first_chars=20, longest_chars=20)
    most_streams = 1

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


@pytest.fixture
def synthesizer(monkeypatch: pytest.MonkeyPatch) -> ToySynthesizer:
    toy = ToySynthesizer()
    plug_in(monkeypatch, piper=toy)
    return toy


def plug_in(monkeypatch: pytest.MonkeyPatch, **toys: ToySynthesizer) -> None:
    """Let tts load `toys`, in their order."""
    monkeypatch.setattr(procs.tts, "load_synthesizers", lambda _: Engines(toys, {"*": tuple(toys)}))


def test_tts_speaks_clause_by_clause_each_with_its_start_and_its_end(
    appliance: Appliance, synthesizer: ToySynthesizer
) -> None:
    ear = Ear(appliance.memory, 0)
    appliance.start("tts", procs.tts.main)
    translation = a_translation("Bom dia, minha senhora. Como vai a família toda?", 3)
    TextWriter(appliance.memory.writer("translations")).write(translation)
    frames = ear.hears(3)
    assert synthesizer.spoken == ["Bom dia,", "minha senhora.", "Como vai a família toda?"]
    clauses = [[frame for frame in frames if frame.stream == clause_stream(150, number)] for number in range(3)]
    for clause in clauses:
        assert [frame.flags for frame in clause] == [START, *[0] * (len(clause) - 2), END]
    assert {frame.capture_ns for frame in frames} == {translation.source.end_ns}
    assert {len(frame.payload) for frame in frames} == {FRAME_BYTES}
    spoken = Mailbox(appliance.memory, "journal", "tts", JournalEntry).collect(3)
    assert [(each.lane, each.seq_num, each.clause, each.text, each.frames) for each in spoken] == [
        (0, 150, number, synthesizer.spoken[number], len(clauses[number])) for number in range(3)
    ]
    assert [each.start_ns for each in spoken] == [translation.source.start_ns, *(each.end_ns for each in spoken[:2])]
    assert spoken[2].end_ns == translation.source.end_ns
    assert all(0 < each.tts_first_ms <= each.tts_ms for each in spoken)


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
    assert {frame.stream for frame in ear.hears(1)} == {clause_stream(100, 0)}
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
    assert [clause_of(frame.stream) for frame in frames if frame.flags & START] == [(100, 0), (200, 0)]
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
    order = [clause_of(frame.stream) for frame in ears[0].hears(5) if frame.flags & START]
    assert order == [(50, 0), (50, 1), (50, 2), (50, 3), (100, 0)]
    assert [clause_of(frame.stream) for frame in ears[1].hears(1) if frame.flags & START] == [(50, 0)]
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


def test_a_killed_tts_goes_on_with_the_clause_it_had_not_finished(
    appliance: Appliance, synthesizer: ToySynthesizer
) -> None:
    ear = Ear(appliance.memory, 0)
    synthesizer.killed_by = {"e mais vinte letras."}
    appliance.start("tts", procs.tts.main)
    writer = TextWriter(appliance.memory.writer("translations"))
    writer.write(a_translation("antes", 1))
    writer.write(a_translation("Primeiro vinte aqui, e mais vinte letras.", 2))
    appliance.wait_for_death()
    appliance.start("tts", procs.tts.main)
    starts = [(*clause_of(frame.stream), frame.generation) for frame in ear.hears(3) if frame.flags & START]
    assert starts == [(50, 0, 1), (100, 0, 1), (100, 1, 2)]
    translations = appliance.memory.ring_state("translations")
    wait_until(lambda: appliance.memory.ring_state("translations").committed == translations.head)
    assert synthesizer.spoken == ["antes", "Primeiro vinte aqui,", *["e mais vinte letras."] * 2]


# --- while they speak ---


def growing(*texts: str, number: int = 1, final: bool = True) -> list[Translation]:
    """What each revision of one segment adds."""
    whole = a_translation("", number)
    last = len(texts) - 1

    def revision(place: int, text: str) -> Translation:
        end_ns = whole.source.start_ns + 500 * NS_PER_MS * (place + 1)
        source = msgspec.structs.replace(whole.source, revision=place, final=final and place == last, end_ns=end_ns)
        return msgspec.structs.replace(whole, revision=place, final=source.final, text=text, source=source)

    return [revision(place, text) for place, text in enumerate(texts)]


def backlog(appliance: Appliance, duration_ms: int) -> None:
    """What the listener at lane 0 has yet to hear."""
    frames = bytes(duration_ms // FRAME_MS * FRAME_BYTES)
    appliance.memory.writer("downlink", 0).push_many(frames, flags=START | END)


def test_words_are_spoken_as_they_come_each_once_and_a_clause_knows_what_it_translates(
    appliance: Appliance, synthesizer: ToySynthesizer
) -> None:
    ear = Ear(appliance.memory, 0)
    appliance.start("tts", procs.tts.main)
    writer = TextWriter(appliance.memory.writer("translations"))
    revisions = growing("o velho,", "o azul,", "")
    for heard, translation in enumerate(revisions[:2], 1):
        writer.write(translation)
        ear.hears(heard)
    writer.write(revisions[2])
    writer.write(a_translation("Fim.", 2))
    frames = ear.hears(3)
    assert synthesizer.spoken == ["o velho,", "o azul,", "Fim."]
    starts = {clause_of(frame.stream): frame.capture_ns for frame in frames if frame.flags & START}
    assert list(starts) == [(50, 0), (50, 1), (100, 0)]
    assert [starts[50, clause] for clause in (0, 1)] == [each.source.end_ns for each in revisions[:2]]
    spoken = Mailbox(appliance.memory, "journal", "tts", JournalEntry).collect(3)
    assert [(each.start_ns, each.end_ns) for each in spoken[:2]] == [
        (revisions[0].source.start_ns, revisions[0].source.end_ns),
        (revisions[0].source.end_ns, revisions[1].source.end_ns),
    ]


def test_the_last_words_wait_for_more_while_something_is_to_be_heard_and_not_when_it_is_silent(
    appliance: Appliance, synthesizer: ToySynthesizer
) -> None:
    backlog(appliance, 2_000)
    tts = appliance.start("tts", procs.tts.main)
    writer = TextWriter(appliance.memory.writer("translations"))
    first, second = growing("uma porta", "azul", final=False)
    writer.write(first)
    passed = tts.vitals.heartbeat_ns
    wait_until(lambda: tts.vitals.heartbeat_ns > passed + 200 * NS_PER_MS)
    assert synthesizer.spoken == []
    writer.write(second)
    Ear(appliance.memory, 0).hears(2)
    assert synthesizer.spoken == ["uma porta azul"]


@pytest.mark.parametrize("ending", [growing("o", "")[1], a_translation("Fim.", 2)], ids=["final", "next"])
def test_what_will_not_grow_any_more_does_not_wait(
    appliance: Appliance, synthesizer: ToySynthesizer, ending: Translation
) -> None:
    backlog(appliance, 2_000)
    appliance.start("tts", procs.tts.main)
    writer = TextWriter(appliance.memory.writer("translations"))
    writer.write(growing("o", final=False)[0])
    writer.write(ending)
    wait_until(lambda: synthesizer.spoken[:1] == ["o"])


def test_a_lane_far_ahead_of_its_listener_keeps_its_words_until_they_are_needed(
    appliance: Appliance, synthesizer: ToySynthesizer
) -> None:
    backlog(appliance, 20_000)
    appliance.start("tts", procs.tts.main)
    writer = TextWriter(appliance.memory.writer("translations"))
    writer.write(a_translation("um", 1))
    writer.write(a_translation("one", 1, lane=1))
    Ear(appliance.memory, 1).hears(1)
    assert synthesizer.spoken == ["one"]
    assert appliance.memory.ring_state("translations").committed == 0
    Ear(appliance.memory, 0).hears(2)
    assert synthesizer.spoken == ["one", "um"]


@pytest.mark.usefixtures("synthesizer")
def test_pauses_are_shorter_in_a_lane_that_has_fallen_behind(appliance: Appliance) -> None:
    backlog(appliance, 10_000)
    writer = TextWriter(appliance.memory.writer("translations"))
    writer.write(a_translation("Bom dia.", 1))
    writer.write(a_translation("Bom dia.", 1, lane=1))
    appliance.start("tts", procs.tts.main)
    relaxed = Ear(appliance.memory, 1).hears(1)
    hurried = [frame for frame in Ear(appliance.memory, 0).hears(2) if frame.stream == clause_stream(50, 0)]
    assert (len(relaxed) - len(hurried)) * FRAME_MS == pytest.approx(0.75 * SENTENCE_PAUSE_MS, abs=FRAME_MS)


def test_a_killed_tts_says_of_a_growing_segment_only_what_it_had_not_said(
    appliance: Appliance, synthesizer: ToySynthesizer
) -> None:
    ear = Ear(appliance.memory, 0)
    synthesizer.killed_by = {"e azul."}
    appliance.start("tts", procs.tts.main)
    writer = TextWriter(appliance.memory.writer("translations"))
    writer.write(a_translation("one", 1, lane=1, call=2))  # of a call that is over
    first, second = growing("A porta velha, cinza, e", "azul.")
    writer.write(first)
    wait_until(lambda: len(synthesizer.spoken) == 2)
    writer.write(second)
    appliance.wait_for_death()
    appliance.start("tts", procs.tts.main)
    writer.write(a_translation("Fim.", 2))
    starts = [clause_of(frame.stream) for frame in ear.hears(4) if frame.flags & START]
    assert starts == [(50, 0), (50, 1), (50, 2), (100, 0)]
    said = Mailbox(appliance.memory, "journal", "tts", JournalEntry).collect(4)
    assert [each.text for each in said] == ["A porta velha,", "cinza,", "e azul.", "Fim."]


# --- when an engine fails ---


class Failing(ToySynthesizer):
    """Fails with `error`, and speaks no sooner than it is `free`."""

    def __init__(self, error: EngineError | None = None) -> None:
        super().__init__()
        self.error = error
        self.free = threading.Event()
        self.free.set()

    def synthesize(self, text: str, language: str, speed: float = 1.0) -> Iterator[Speech]:
        del language, speed
        self.spoken.append(text)
        assert self.free.wait(60)
        if self.error:
            raise self.error
        yield Speech(np.full(8_000, 0.5, np.float32), 8_000)


@pytest.fixture
def two_engines(appliance: Appliance) -> None:
    engines = EnginesConfig(synthesizers={"*": ("elevenlabs", "piper")})
    appliance.config = msgspec.structs.replace(appliance.config, engines=engines)


@pytest.mark.usefixtures("two_engines")
def test_what_one_engine_cannot_speak_the_next_one_does_and_the_first_is_soon_not_asked_any_more(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Failing(EngineUnavailable("it is out of order")), ToySynthesizer()
    plug_in(monkeypatch, elevenlabs=first, piper=second)
    ear = Ear(appliance.memory, 0)
    tts = appliance.start("tts", procs.tts.main)
    writer = TextWriter(appliance.memory.writer("translations"))
    texts = [f"Frase {number}." for number in range(6)]
    for number, text in enumerate(texts, 1):
        writer.write(a_translation(text, number))
    ear.hears(6)
    assert second.spoken == texts
    assert first.spoken == texts[:4]
    assert tts.vitals.get("engine_errors") == 4
    assert tts.vitals.get("breakers") == State.OPEN
    journal = Mailbox(appliance.memory, "journal", "tts", JournalEntry)
    assert [each.status for each in journal.collect(11) if isinstance(each, HealthEvent)] == ["breaker open"]


@pytest.mark.usefixtures("two_engines")
def test_an_engine_that_gives_no_sound_is_not_waited_for_while_another_can_speak(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Failing(), ToySynthesizer()
    first.free.clear()
    plug_in(monkeypatch, elevenlabs=first, piper=second)
    ear = Ear(appliance.memory, 0)
    appliance.start("tts", procs.tts.main)
    writer = TextWriter(appliance.memory.writer("translations"))
    writer.write(a_translation("Um.", 1))
    writer.write(a_translation("Dois.", 2))
    ear.hears(2)
    assert (first.spoken, second.spoken) == (["Um."], ["Um.", "Dois."])
    first.free.set()


@pytest.mark.usefixtures("two_engines")
def test_an_engine_is_not_asked_for_a_language_that_it_does_not_speak(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ToySynthesizer(), ToySynthesizer()
    first.languages, second.languages = frozenset({"en"}), frozenset({"pt"})
    plug_in(monkeypatch, elevenlabs=first, piper=second)
    ears = Ear(appliance.memory, 0), Ear(appliance.memory, 1)
    appliance.start("tts", procs.tts.main)
    writer = TextWriter(appliance.memory.writer("translations"))
    writer.write(a_translation("Bom dia.", 1))
    writer.write(a_translation("Good morning.", 1, lane=1))
    for ear in ears:
        ear.hears(1)
    assert (first.spoken, second.spoken) == (["Good morning."], ["Bom dia."])


# --- when one of them cannot keep up ---


class Slow(ToySynthesizer):
    """A word is 100 ms of speech, and takes a second."""

    def synthesize(self, text: str, language: str, speed: float = 1.0) -> Iterator[Speech]:
        del language, speed
        self.spoken.append(text)
        words = len(text.split())
        threading.Event().wait(1.0 * words)
        yield Speech(np.full(800 * words, 0.5, np.float32), 8_000)


def test_a_voice_at_a_tenth_of_its_speed_keeps_its_lag_within_bounds_and_the_other_lane_does_not_wait_for_it(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    most_ms = 2_000
    monkeypatch.setattr(stillness, "LIMIT_NS", 60 * NS_PER_S)  # what takes so long here does not hang
    engines = EnginesConfig(synthesizers={"pt-br": "kokoro", "en": "piper"}, most_behind_ms=most_ms)
    appliance.config = msgspec.structs.replace(appliance.config, engines=engines)
    slow, quick = Slow(), ToySynthesizer()
    toys = Engines({"kokoro": slow, "piper": quick}, {"pt-br": ("kokoro",), "en": ("piper",)})
    monkeypatch.setattr(procs.tts, "load_synthesizers", lambda _: toys)
    tts = appliance.start("tts", procs.tts.main)
    writer = TextWriter(appliance.memory.writer("translations"))
    ears = Ear(appliance.memory, 0), Ear(appliance.memory, 1)
    for number in range(1, 17):  # two people who speak at once, two words each half a second
        writer.write(a_translation(f"frase {number}.", number))
        writer.write(a_translation(f"sentence {number}.", number, lane=1))
        ears[1].hears(number)  # at once, although the other voice is in the middle of a clause
        ears[0].hears(0)
        threading.Event().wait(0.5)
    translations = appliance.memory.ring_state("translations")
    wait_until(lambda: appliance.memory.ring_state("translations").committed == translations.head)
    assert quick.spoken == [f"sentence {number}." for number in range(1, 17)]
    lost = tts.vitals.get("overload_words")
    assert 0 < lost == 2 * 16 - sum(len(text.split()) for text in slow.spoken)
    entries = Mailbox(appliance.memory, "journal", "tts", JournalEntry).collect(0)
    late_ms = [entry.tts_ms for entry in entries if isinstance(entry, Spoken) and entry.lane == 0]
    assert max(late_ms) < most_ms / 2 + 3 * 2_000  # a clause before it, its own, and a busy machine
    told = [entry for entry in entries if isinstance(entry, HealthEvent)]
    assert [(event.component, event.status, event.session_id) for event in told] == [("lane", "OVERLOADED", "r1")]


def test_an_engine_that_can_speaks_several_lanes_at_once(appliance: Appliance, synthesizer: ToySynthesizer) -> None:
    synthesizer.most_streams = 2
    both = threading.Barrier(2)
    synthesizer.hangs_up = lambda: both.wait(5)
    ears = [Ear(appliance.memory, lane) for lane in (0, 1)]
    appliance.start("tts", procs.tts.main)
    translations = TextWriter(appliance.memory.writer("translations"))
    for lane, text in enumerate(("Bom dia.", "Boa noite.")):
        translations.write(a_translation(text, 3 + lane, lane))
    assert all(ear.hears(1) for ear in ears)


# --- when it comes in pieces ---


class Streaming(ToySynthesizer):
    """A clause is ten pieces of 200 ms; it waits before piece `held` until it is `free`, and fails at `breaks_at`."""

    def __init__(self, held: int = 3, breaks_at: int = 10) -> None:
        super().__init__()
        self.held, self.breaks_at = held, breaks_at
        self.free = threading.Event()
        self.ended: list[int] = []  # at which piece

    def synthesize(self, text: str, language: str, speed: float = 1.0) -> Iterator[Speech]:
        del language, speed
        self.spoken.append(text)
        number = 0
        try:
            while number < 10:
                assert number != self.held or self.free.wait(60)
                if number == self.breaks_at:
                    raise EngineError("it has lost the thread")
                tone = 0.5 * np.sin(np.arange(4_800 * number, 4_800 * (number + 1)) * 0.05)
                yield Speech(tone.astype(np.float32), 24_000)
                number += 1
        finally:
            self.ended.append(number)


def heard_early(ear: Ear, frames: int) -> None:
    """Wait for so many frames of something that has not ended."""

    def enough() -> bool:
        ear.hears(0)
        return len(ear.frames) >= frames

    wait_until(enough)
    assert not any(frame.flags & END for frame in ear.frames)


def test_the_first_pieces_are_on_their_way_while_the_others_are_made(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, ear = Streaming(), Ear(appliance.memory, 0)
    plug_in(monkeypatch, piper=engine)
    tts = appliance.start("tts", procs.tts.main)
    writer = TextWriter(appliance.memory.writer("translations"))
    writer.write(a_translation("Bom dia.", 1))
    writer.write(a_translation("Boa noite.", 2))
    heard_early(ear, 27)  # of 600 ms
    passed = tts.vitals.heartbeat_ns
    wait_until(lambda: tts.vitals.heartbeat_ns > passed + 100 * NS_PER_MS)
    assert engine.spoken == ["Bom dia."]  # the lane keeps its order
    engine.free.set()
    frames = ear.hears(2)
    first = [frame for frame in frames if frame.stream == clause_stream(50, 0)]
    assert frames[: len(first)] == first
    assert [frame.flags for frame in first] == [START, *[0] * (len(first) - 2), END]
    sound = np.frombuffer(b"".join(frame.payload for frame in first), "<i2").astype(int)
    assert len(sound) >= 32_000
    assert np.abs(np.diff(sound)).max() < 0.5 * 32_767 * 0.076  # the tone's own slope: no seam clicks
    spoken = Mailbox(appliance.memory, "journal", "tts", JournalEntry).collect(2)[0]
    assert isinstance(spoken, Spoken)
    assert spoken.frames == len(first)
    assert spoken.tts_first_ms + 100 < spoken.tts_ms


def test_a_clause_that_is_being_spoken_when_its_call_ends_frees_its_engine(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, ear = Streaming(), Ear(appliance.memory, 0)
    plug_in(monkeypatch, piper=engine)
    appliance.start("tts", procs.tts.main)
    writer = TextWriter(appliance.memory.writer("translations"))
    writer.write(a_translation("Bom dia.", 1))
    heard_early(ear, 20)
    appliance.memory.write_roster(Roster())
    frames = ear.hears(1)
    assert sum(bool(frame.flags & END) for frame in frames) == 1
    engine.free.set()
    wait_until(lambda: engine.ended == [3])
    assert len(ear.hears(1)) < 60


@pytest.mark.usefixtures("two_engines")
def test_what_one_engine_breaks_off_the_next_one_says_again_in_the_same_breath(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Streaming(held=2, breaks_at=2), ToySynthesizer()
    plug_in(monkeypatch, elevenlabs=first, piper=second)
    ear = Ear(appliance.memory, 0)
    appliance.start("tts", procs.tts.main)
    TextWriter(appliance.memory.writer("translations")).write(a_translation("x" * 100, 1))
    heard_early(ear, 17)  # of 400 ms
    first.free.set()
    frames = ear.hears(1)
    assert second.spoken == ["x" * 100]
    assert [frame.flags & (START | END) for frame in frames] == [START, *[0] * (len(frames) - 2), END]
    assert 20 + 15 <= len(frames) <= 20 + 15 + 10  # 400 ms, 300 ms, and a little around both
