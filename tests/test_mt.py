"""mt over real shared memory, with an engine that answers at once."""

import itertools
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from stages import LANES, LEGS, Appliance, Killed, Mailbox, a_segment, wait_until

import procs.mt
from appliance.cloud_config import CloudEngines, DeepLConfig
from appliance.config import EnginesConfig, Route
from appliance.engines.languages import all_pairs
from appliance.engines.protocols import EngineError, EngineRefused, EngineUnavailable, TranslationRequest
from appliance.engines.registry import Engines
from appliance.frames.messages import HealthEvent, JournalEntry, LogLine, Segment, Translation
from appliance.frames.roster import Lane, Leg, Roster
from appliance.frames.text import TextWriter
from appliance.recovery import breaker
from appliance.recovery.breaker import State
from appliance.stages import asking
from appliance.units import NS_PER_MS


class ToyTranslator:
    pairs = all_pairs(("en", "pt-br", "es"))

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.killed_by: set[str] = set()

    def warm(self) -> None: ...

    def translate(self, text: str, source: str, target: str) -> str:
        self.asked.append(text)
        if text in self.killed_by:
            self.killed_by.remove(text)
            raise Killed
        if text == "untranslatable":
            raise EngineError("there is no word for it")
        return f"{text} (from {source} to {target})"


@pytest.fixture
def translator(monkeypatch: pytest.MonkeyPatch) -> ToyTranslator:
    toy = ToyTranslator()
    plug_in(monkeypatch, bergamot=toy)
    return toy


def plug_in(monkeypatch: pytest.MonkeyPatch, **toys: ToyTranslator) -> None:
    """Let mt load `toys`, in their order."""
    monkeypatch.setattr(procs.mt, "load_translators", lambda _: Engines(toys, {"*": tuple(toys)}))


@pytest.fixture
def translations(appliance: Appliance) -> Mailbox[Translation]:
    return Mailbox(appliance.memory, "translations", 0, Translation)


@pytest.mark.usefixtures("translator")
def test_mt_translates_for_every_lane_of_the_leg_and_tells_the_journal(
    appliance: Appliance, translations: Mailbox[Translation]
) -> None:
    lanes = (*LANES, Lane(2, 1, 0, "es", 2), Lane(3, 1, 0, "en", 3))
    appliance.memory.write_roster(Roster(LEGS, lanes))
    appliance.start("mt", procs.mt.main)
    segment = a_segment("good morning", 1)
    TextWriter(appliance.memory.writer("segments")).write(segment)
    pt, es, en = translations.collect(3)
    assert [(each.lane, each.target_language) for each in (pt, es, en)] == [(0, "pt-br"), (2, "es"), (3, "en")]
    assert pt.text == "good morning (from en to pt-br)"
    assert (pt.source, pt.seq_num, pt.revision, pt.final) == (segment, 50, 0, True)
    journal = Mailbox(appliance.memory, "journal", "mt", JournalEntry)
    assert journal.collect(3) == [pt, es, en]


@pytest.mark.usefixtures("translator")
def test_mt_leaves_out_dead_calls_and_repeats_and_ends_what_its_engine_cannot_translate(
    appliance: Appliance, translations: Mailbox[Translation]
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
        ("red (from en to pt-br)", True),
        ("", True),
        ("azul (from pt-br to en)", True),
        ("green (from en to pt-br)", True),
    ]
    assert mt.vitals.get("dropped_messages") == 1
    assert mt.vitals.get("engine_errors") == 2  # it was tried twice


def test_a_killed_mt_translates_what_it_had_not_written(
    appliance: Appliance, translator: ToyTranslator, translations: Mailbox[Translation]
) -> None:
    translator.killed_by = {"two"}
    writer = TextWriter(appliance.memory.writer("segments"))
    appliance.start("mt", procs.mt.main)
    for number, text in enumerate(("one", "two", "three"), 1):
        writer.write(a_segment(text, number))
    appliance.wait_for_death()
    appliance.start("mt", procs.mt.main)
    assert [each.source.text for each in translations.collect(3)] == ["one", "two", "three"]


# --- while they speak ---


def growing(*texts: str, number: int = 1, final: bool = True, **fields: Any) -> list[Segment]:
    """The revisions of one segment; the last one is final unless told otherwise."""
    whole = a_segment(texts[-1], number, **fields)
    return [
        msgspec.structs.replace(
            whole,
            text=text,
            revision=revision,
            final=final and revision == len(texts) - 1,
            end_ns=whole.start_ns + 200 * NS_PER_MS * len(text.split()),
        )
        for revision, text in enumerate(texts)
    ]


class Says:
    """Somebody who speaks on, revision by revision, each when mt is done with the one before."""

    def __init__(self, appliance: Appliance) -> None:
        self._memory = appliance.memory
        self._writer = TextWriter(appliance.memory.writer("segments"))

    def __call__(self, segments: Iterable[Segment]) -> None:
        for segment in segments:
            self._writer.write(segment)
            wait_until(self._is_done)

    def _is_done(self) -> bool:
        state = self._memory.ring_state("segments")
        return state.committed == state.head


@pytest.mark.usefixtures("translator")
def test_a_growing_segment_is_told_as_far_as_two_translations_agree_and_nothing_twice(
    appliance: Appliance, translations: Mailbox[Translation]
) -> None:
    appliance.start("mt", procs.mt.main)
    revisions = growing("the old", "the old blue", "the old blue door", "the old blue door opens.")
    Says(appliance)(revisions)
    told = translations.collect(3)
    assert [(each.revision, each.final, each.text) for each in told] == [
        (1, False, "the old"),
        (2, False, "blue"),
        (3, True, "door opens. (from en to pt-br)"),
    ]
    assert [each.source for each in told] == revisions[1:]


@pytest.mark.usefixtures("translator")
def test_what_seems_to_follow_is_translated_along_and_lets_more_be_told(
    appliance: Appliance, translations: Mailbox[Translation]
) -> None:
    appliance.start("mt", procs.mt.main)
    first, second, final = growing("the old", "the old blue", "the old blue door.")
    ahead = [msgspec.structs.replace(first, ahead="blue"), msgspec.structs.replace(second, ahead="doors")]
    Says(appliance)([*ahead, final])
    assert [(each.revision, each.text) for each in translations.collect(2)] == [
        (1, "the old blue"),
        (2, "door. (from en to pt-br)"),
    ]


def test_only_the_newest_of_the_revisions_that_wait_is_translated(
    appliance: Appliance, translator: ToyTranslator, translations: Mailbox[Translation]
) -> None:
    writer = TextWriter(appliance.memory.writer("segments"))
    mine = growing("red", "red and", "red and green", "red and green.")
    hers = growing("azul", "azul e", leg=1, call=3, language="pt-br", final=False)
    for segment in (mine[0], hers[0], *mine[1:], hers[1]):
        writer.write(segment)
    appliance.start("mt", procs.mt.main)
    wait_until(lambda: len(translator.asked) >= 2)
    assert [each.text for each in translations.collect(1)] == ["red and green. (from en to pt-br)"]
    assert translator.asked == ["red and green.", "azul e"]


@pytest.mark.usefixtures("translator")
def test_a_segment_that_is_not_carried_on_is_ended_as_it_is_before_the_next(
    appliance: Appliance, translations: Mailbox[Translation]
) -> None:
    appliance.start("mt", procs.mt.main)
    say = Says(appliance)
    say(growing("the old", "the old blue", final=False))
    say([a_segment("again.", 2)])
    assert [(each.seq_num, each.revision, each.final, each.text) for each in translations.collect(3)] == [
        (50, 1, False, "the old"),
        (50, 2, True, "blue (from en to pt-br)"),
        (100, 0, True, "again. (from en to pt-br)"),
    ]


@pytest.mark.usefixtures("translator")
def test_a_restarted_recognizer_that_counts_its_revisions_anew_ends_the_segment_it_had_begun(
    appliance: Appliance, translations: Mailbox[Translation]
) -> None:
    appliance.start("mt", procs.mt.main)
    say = Says(appliance)
    say(growing("the old", "the old blue", "the old blue door", final=False))
    say(growing("the old blue", "the old blue door opens."))
    assert [(each.revision, each.text) for each in translations.collect(3)] == [
        (1, "the old"),
        (2, "blue"),
        (1, "door opens. (from en to pt-br)"),
    ]


def restarted_within_a_sentence(appliance: Appliance, translator: ToyTranslator) -> Segment:
    """mt dies of the third revision, and another one takes over; returns the last revision, which nobody has said."""
    translator.killed_by = {"the old blue door"}
    appliance.start("mt", procs.mt.main)
    first, second, third, last = growing("the old", "the old blue", "the old blue door", "the old blue door opens.")
    Says(appliance)([first, second])
    TextWriter(appliance.memory.writer("segments")).write(third)
    appliance.wait_for_death()
    appliance.start("mt", procs.mt.main)
    return last


def test_a_restarted_mt_tells_the_rest_of_what_it_had_begun(
    appliance: Appliance, translator: ToyTranslator, translations: Mailbox[Translation]
) -> None:
    last = restarted_within_a_sentence(appliance, translator)
    Says(appliance)([last, last])
    wait_until(lambda: translations.collect(2)[-1].final)
    assert " ".join(each.text for each in translations.messages) == "the old blue door opens. (from en to pt-br)"


def test_an_mt_that_takes_over_needs_no_third_revision_to_tell_what_two_agree_on(
    appliance: Appliance, translator: ToyTranslator, translations: Mailbox[Translation]
) -> None:
    last = restarted_within_a_sentence(appliance, translator)
    assert [(each.revision, each.text) for each in translations.collect(2)] == [(1, "the old"), (2, "blue")]
    Says(appliance)([last])
    assert translations.collect(3)[2].text == "door opens. (from en to pt-br)"


@pytest.mark.usefixtures("translator")
def test_a_failing_engine_is_not_heard_of_before_the_segment_is_whole(
    appliance: Appliance, translations: Mailbox[Translation]
) -> None:
    mt = appliance.start("mt", procs.mt.main)
    Says(appliance)(growing("the old", "untranslatable", "the old door."))
    assert [each.text for each in translations.collect(1)] == ["the old door. (from en to pt-br)"]
    assert mt.vitals.get("engine_errors") == 0


def test_a_number_is_not_told_before_it_is_whole(
    appliance: Appliance, translator: ToyTranslator, translations: Mailbox[Translation]
) -> None:
    appliance.start("mt", procs.mt.main)
    Says(appliance)(growing("that makes about 40", "that makes about 40 000", "that makes about 40 000 in all then."))
    assert translator.asked[0] == "that makes about"
    assert " ".join(each.text for each in translations.collect(1)).startswith("that makes about 40 000")
    assert len(translator.asked) == 2  # nothing new was whole in between


def test_what_is_said_in_the_language_of_the_listener_is_passed_on_as_it_is(
    appliance: Appliance, translator: ToyTranslator, translations: Mailbox[Translation]
) -> None:
    appliance.memory.write_roster(Roster(LEGS, (Lane(0, 1, 0, "en-gb", 0),)))
    appliance.start("mt", procs.mt.main)
    Says(appliance)(growing("the old", "the old blue", "the old blue door."))
    assert [each.text for each in translations.collect(3)] == ["the old", "blue", "door."]
    assert translator.asked == []


def test_the_terms_of_the_route_are_kept(
    appliance: Appliance, translator: ToyTranslator, translations: Mailbox[Translation], tmp_path: Path
) -> None:
    (tmp_path / "terms.csv").write_text("source,target\nblue door,porta azul\n")
    route = Route("1001", "en", "pt-br", "PJSIP/bruno", glossary=str(tmp_path / "terms.csv"))
    appliance.config = msgspec.structs.replace(appliance.config, routes=(route,))
    legs = tuple(msgspec.structs.replace(leg, route="1001") for leg in LEGS)
    appliance.memory.write_roster(Roster(legs, LANES))
    appliance.start("mt", procs.mt.main)
    Says(appliance)([a_segment("the blue door opens", 1)])
    assert [each.text for each in translations.collect(1)] == ["the porta azul opens (from en to pt-br)"]
    assert "blue" not in translator.asked[0]


def test_a_glossary_that_cannot_be_read_is_complained_of_and_calls_are_translated_without(
    appliance: Appliance, translator: ToyTranslator, translations: Mailbox[Translation]
) -> None:
    route = Route("1001", "en", "pt-br", "PJSIP/bruno", glossary="/nowhere/terms.csv")
    appliance.config = msgspec.structs.replace(appliance.config, routes=(route,))
    appliance.start("mt", procs.mt.main)
    Says(appliance)([a_segment("the blue door", 1)])
    (complaint, translation) = Mailbox(appliance.memory, "journal", "mt", JournalEntry).collect(2)
    assert isinstance(complaint, LogLine)
    assert "/nowhere/terms.csv" in complaint.text
    assert [translation] == translations.collect(1)
    assert translator.asked == ["the blue door"]


class Contextual(ToyTranslator):
    """Takes everything there is."""

    options = frozenset({"context", "formality", "target_prefix", "glossary_id"})

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[TranslationRequest] = []

    def translate_request(self, request: TranslationRequest) -> str:
        self.requests.append(request)
        return self.translate(request.text, request.source_lang, request.target_lang)


def test_an_engine_that_takes_more_is_given_what_was_said_and_told_before(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Contextual()
    plug_in(monkeypatch, bergamot=engine)
    chosen = DeepLConfig(formality="more", glossaries={"en > pt-BR": "g1"})
    appliance.config = msgspec.structs.replace(appliance.config, cloud=CloudEngines(deepl=chosen))
    appliance.start("mt", procs.mt.main)
    say = Says(appliance)
    say([a_segment("Good morning.", 1)])
    say(growing("the old", "the old blue", "the old blue door.", number=2))
    first, *_, last = engine.requests
    assert (first.partial, first.context, first.target_prefix) == (False, "", "")
    assert (last.stream_id, last.seq_num, last.partial) == ("r1-leg0", 100, False)
    assert (last.context, last.target_prefix) == ("Good morning.", "the old")
    assert (last.formality, last.glossary_id) == ("more", "g1")
    assert [request.partial for request in engine.requests] == [False, True, True, False]


@pytest.mark.usefixtures("translator")
def test_one_whose_language_is_found_out_is_answered_in_it(
    appliance: Appliance, translations: Mailbox[Translation]
) -> None:
    legs = (Leg(0, 7, "r1", "auto", None), Leg(1, 3, "r1", "en", None))
    lanes = (Lane(0, 1, 0, "en", 0), Lane(1, 1, 1, "auto", 1))
    appliance.memory.write_roster(Roster(legs, lanes))
    appliance.start("mt", procs.mt.main)
    segments = TextWriter(appliance.memory.writer("segments"))
    for number, (leg, call, language) in enumerate(((1, 3, "en"), (0, 7, "es"), (1, 3, "en"))):
        segments.write(a_segment(f"sentence {number}", number + 1, leg, call, language))
        translations.collect(number + 1)
    told = [(each.lane, each.target_language) for each in translations.messages]
    assert told == [(1, "pt-br"), (0, "en"), (1, "es")]  # the first language there is a voice for, until one is known


# --- when an engine fails ---


class Failing(ToyTranslator):
    """Fails with `error` where a text begins with "red"; `answers` waits for `free`."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.error = error
        self.free = threading.Event()
        self.free.set()

    def translate(self, text: str, source: str, target: str) -> str:
        translated = super().translate(text, source, target)
        assert self.free.wait(60)
        if self.error and text.startswith("red"):
            raise self.error
        return translated


AWAY = EngineUnavailable("it is out of order")


@pytest.fixture
def two_engines(appliance: Appliance) -> None:
    engines = EnginesConfig(translator=("deepl", "bergamot"))
    appliance.config = msgspec.structs.replace(appliance.config, engines=engines)


def events(appliance: Appliance) -> list[HealthEvent]:
    mailbox = Mailbox(appliance.memory, "journal", "mt", JournalEntry)
    return [entry for entry in mailbox.collect(0) if isinstance(entry, HealthEvent)]


@pytest.mark.usefixtures("two_engines")
def test_whose_engine_cannot_answer_is_served_by_the_next_one_at_once_whole_or_growing(
    appliance: Appliance, translations: Mailbox[Translation], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Failing(AWAY), ToyTranslator()
    plug_in(monkeypatch, deepl=first, bergamot=second)
    monkeypatch.setattr(asking, "backoff_ms", lambda _: 3_600_000)  # whoever waits does so for ever
    mt = appliance.start("mt", procs.mt.main)
    say = Says(appliance)
    say(growing("red", "red blue", "red blue door."))
    say(a_segment("red", number) for number in (2, 3))
    told = translations.collect(4)
    assert " ".join(each.text for each in told[:2]) == "red blue door. (from en to pt-br)"
    assert first.asked == ["red", "red blue", "red blue door.", "red"]  # and after four failures not any more
    assert second.asked == [*first.asked, "red"]
    assert mt.vitals.get("engine_errors") == 4
    assert mt.vitals.get("breakers") == State.OPEN
    (event,) = events(appliance)
    assert (event.component, event.status) == ("mt/deepl", "breaker open")
    assert str(AWAY) in event.action


@pytest.mark.usefixtures("two_engines")
def test_where_nobody_can_answer_a_whole_segment_waits_and_all_are_asked_again(
    appliance: Appliance, translations: Mailbox[Translation], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Failing(AWAY), Failing(AWAY)
    plug_in(monkeypatch, deepl=first, bergamot=second)
    monkeypatch.setattr(asking, "backoff_ms", lambda count: 100 if count < 3 else None)
    appliance.start("mt", procs.mt.main)
    writer = TextWriter(appliance.memory.writer("segments"))
    writer.write(a_segment("red", 1))
    writer.write(a_segment("green", 2))
    writer.write(a_segment("azul", 1, leg=1, call=3, language="pt-br"))
    told = translations.collect(3)
    assert [(each.source.text, bool(each.text)) for each in told] == [("azul", True), ("red", False), ("green", True)]
    assert first.asked == ["red", "azul", "red", "red", "green"]  # only its own leg waited
    assert second.asked == ["red", "red", "red"]


@pytest.mark.usefixtures("two_engines")
def test_a_refusal_is_not_waited_for_and_the_engine_that_answers_again_is_first_again(
    appliance: Appliance, translations: Mailbox[Translation], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Failing(EngineRefused("the quota is used up")), ToyTranslator()
    plug_in(monkeypatch, deepl=first, bergamot=second)
    monkeypatch.setattr(breaker, "LONGEST_PAUSE_NS", 300 * NS_PER_MS)
    mt = appliance.start("mt", procs.mt.main)
    writer = TextWriter(appliance.memory.writer("segments"))
    writer.write(a_segment("red", 1))
    translations.collect(1)
    assert (first.asked, second.asked) == (["red"], ["red"])
    first.error = None
    for number in itertools.count(2):
        writer.write(a_segment("red", number))
        translations.collect(number)
        if len(first.asked) > 1:
            break
    assert len(second.asked) == number - 1
    assert mt.vitals.get("breakers") == State.CLOSED
    assert [event.status for event in events(appliance)] == ["breaker open", "breaker closed"]


@pytest.mark.usefixtures("two_engines")
def test_an_engine_that_does_not_answer_is_not_waited_for_while_another_can_be_asked(
    appliance: Appliance, translations: Mailbox[Translation], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Failing(), ToyTranslator()
    first.free.clear()
    plug_in(monkeypatch, deepl=first, bergamot=second)
    monkeypatch.setattr(asking, "HEDGE_S", 0.05)
    appliance.start("mt", procs.mt.main)
    TextWriter(appliance.memory.writer("segments")).write(a_segment("red", 1))
    translations.collect(1)
    assert (first.asked, second.asked) == (["red"], ["red"])  # it was not asked again while it was busy
    first.free.set()


@pytest.mark.usefixtures("two_engines")
def test_an_engine_that_hangs_is_waited_for_once_and_while_it_is_tried_again_nobody_waits(
    appliance: Appliance, translations: Mailbox[Translation], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Failing(), ToyTranslator()
    first.free.clear()
    plug_in(monkeypatch, deepl=first, bergamot=second)
    monkeypatch.setattr(asking, "HEDGE_S", 0.05)
    monkeypatch.setattr(asking, "PATIENCE_S", 0.06)
    monkeypatch.setattr(breaker, "FIRST_PAUSE_NS", 50 * NS_PER_MS)
    mt = appliance.start("mt", procs.mt.main)
    numbers = itertools.count(1)

    def says(text: str) -> str:
        TextWriter(appliance.memory.writer("segments")).write(a_segment(text, number := next(numbers)))
        return translations.collect(number)[-1].text

    assert says("red").startswith("red")
    monkeypatch.setattr(asking, "HEDGE_S", 3_600)  # whoever is waited for now is waited for too long
    wait_until(lambda: says("green").startswith("green") and mt.vitals.get("breakers") != State.CLOSED)
    assert (first.asked, mt.vitals.get("engine_errors")) == (["red"], 1)
    monkeypatch.setattr(asking, "PATIENCE_S", 3_600)
    first.asked.clear()
    first.free.set()
    wait_until(lambda: says("blue").startswith("blue") and first.asked != [])  # it is tried, beside the other one
    second.asked.clear()
    wait_until(lambda: says("white").startswith("white") and mt.vitals.get("breakers") == State.CLOSED)
    assert [event.status for event in events(appliance)] == ["breaker open", "breaker closed"]


@pytest.mark.usefixtures("two_engines")
def test_an_engine_is_not_asked_for_languages_that_it_does_not_know(
    appliance: Appliance, translations: Mailbox[Translation], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ToyTranslator(), ToyTranslator()
    first.pairs = frozenset({("pt-br", "en")})
    second.pairs = frozenset({("en", "pt")})
    plug_in(monkeypatch, deepl=first, bergamot=second)
    mt = appliance.start("mt", procs.mt.main)
    writer = TextWriter(appliance.memory.writer("segments"))
    writer.write(a_segment("red", 1))
    writer.write(a_segment("azul", 1, leg=1, call=3, language="pt-br"))
    writer.write(a_segment("rojo", 2, leg=1, call=3, language="es"))
    assert [bool(each.text) for each in translations.collect(3)] == [True, True, False]
    assert (first.asked, second.asked) == (["azul"], ["red"])
    assert mt.vitals.get("engine_errors") == 1


@pytest.mark.usefixtures("two_engines")
def test_one_text_that_nobody_can_translate_closes_no_engine_for_others(
    appliance: Appliance, translations: Mailbox[Translation], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ToyTranslator(), ToyTranslator()
    plug_in(monkeypatch, deepl=first, bergamot=second)
    appliance.start("mt", procs.mt.main)
    writer = TextWriter(appliance.memory.writer("segments"))
    writer.write(a_segment("untranslatable", 1))
    writer.write(a_segment("red", 2))
    assert [bool(each.text) for each in translations.collect(2)] == [False, True]
    assert first.asked == ["untranslatable", "untranslatable", "red"]
    assert second.asked == ["untranslatable", "untranslatable"]


@pytest.mark.usefixtures("two_engines")
def test_what_waits_for_its_engine_is_translated_by_the_next_process_too(
    appliance: Appliance, translations: Mailbox[Translation], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Failing(AWAY), ToyTranslator()
    second.killed_by = {"azul"}
    second.pairs = frozenset({("pt-br", "en")})
    plug_in(monkeypatch, deepl=first, bergamot=second)
    first.pairs = frozenset({("en", "pt-br")})
    writer = TextWriter(appliance.memory.writer("segments"))
    writer.write(a_segment("red", 1))
    writer.write(a_segment("azul", 1, leg=1, call=3, language="pt-br"))
    appliance.start("mt", procs.mt.main)
    appliance.wait_for_death()
    first.error = None
    appliance.start("mt", procs.mt.main)
    assert [each.source.text for each in translations.collect(2)] == ["red", "azul"]


def test_an_engine_that_was_away_at_the_start_is_asked_later(
    appliance: Appliance, translations: Mailbox[Translation], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ToyTranslator(), ToyTranslator()
    toys = {"deepl": first, "bergamot": second}
    engines = Engines(toys, {"*": tuple(toys)}, cold={"deepl": AWAY})
    monkeypatch.setattr(procs.mt, "load_translators", lambda _: engines)
    appliance.start("mt", procs.mt.main)
    TextWriter(appliance.memory.writer("segments")).write(a_segment("red", 1))
    translations.collect(1)
    assert (first.asked, second.asked) == ([], ["red"])
