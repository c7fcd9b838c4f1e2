"""mt over real shared memory, with an engine that answers at once."""

import pytest
from stages import LANES, LEGS, Appliance, Killed, Mailbox, a_segment

import procs.mt
from appliance.engines.protocols import EngineError
from appliance.frames.messages import JournalEntry, Translation
from appliance.frames.roster import Lane, Roster
from appliance.frames.text import TextWriter


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
def test_mt_leaves_out_dead_calls_and_repeats_and_ends_what_its_engine_cannot_translate(
    appliance: Appliance, translations: Mailbox
) -> None:
    mt = appliance.start("mt", procs.mt.main)
    writer = TextWriter(appliance.memory.writer("segments"))
    for segment in (
        a_segment("from an old call", 1, call=6),
        a_segment("red", 2),
        a_segment("red", 2),
        a_segment("untranslatable", 3),
        a_segment("azul", 2, leg=1, call=3, language="pt-br"),
        a_segment("green", 4),
    ):
        writer.write(segment)
    assert [(each.text, each.final) for each in translations.collect(4)] == [
        ("red (en to pt-br)", True),
        ("", True),
        ("azul (pt-br to en)", True),
        ("green (en to pt-br)", True),
    ]
    assert mt.vitals.get("dropped_messages") == 1
    assert mt.vitals.get("engine_errors") == 2  # it was tried twice


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
