"""tts over real shared memory, with an engine that answers at once."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from stages import Appliance, Ear, Killed, Mailbox, a_translation, wait_until

import procs.tts
from appliance.engines.protocols import ClauseSizes, EngineError, Speech
from appliance.frames.messages import JournalEntry, LogLine, Spoken, clause_of, clause_stream
from appliance.frames.ring import END, START
from appliance.frames.roster import Roster
from appliance.frames.text import TextWriter
from appliance.units import FRAME_BYTES, SAMPLE_RATE_HZ


class ToySynthesizer:
    """Each character is 3 ms of a tone at 8 kHz."""

    languages = frozenset({"pt-br", "en"})
    clause_sizes = ClauseSizes(first_chars=20, longest_chars=20)

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
    monkeypatch.setattr(procs.tts, "load_synthesizers", lambda _: {"*": toy})
    return toy


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
