"""tts with an engine that clones: whose voice a clause is spoken with, and what happens when that cannot be."""

import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from stages import LANES, LEGS, SPEECH_STARTS_NS, Appliance, Ear, Mailbox, a_translation, wait_until
from toys.cloner import STOCK_LOUDNESS, ToyCloner
from voice_store import change, voices_in

import procs.tts
from appliance.clock import now_ns
from appliance.engines.protocols import ClonedVoice, CloningSynthesizer, Samples, VoiceConditioner
from appliance.engines.registry import Engines
from appliance.frames.messages import HealthEvent, JournalEntry, Spoken
from appliance.frames.ring import END, START
from appliance.frames.roster import Leg, Roster
from appliance.frames.text import TextWriter
from appliance.recovery.voice_ladder import REASONS
from appliance.stages import leg_voices
from appliance.stages.leg_voices import NOTHING
from appliance.stages.voice_reader import VoiceReader
from appliance.supervision.context import Context
from appliance.supervision.vitals import reasons
from appliance.units import NS_PER_MS

ANA = "store.put(profile('v-ana', synthesis_model='toy', synthesis=(manner(0.5), manner(0.8, 1.0)){more}))"
NOTES_FRAMES = 10
FASTER = ", default_params=DefaultParams(speed=1.25)"


class Talk:
    """Somebody talks in lane 0; what tts made of it."""

    def __init__(self, appliance: Appliance, engine: ToyCloner, tts: Context) -> None:
        self.tts = tts
        self.engine = engine
        self.appliance = appliance
        self._writer = TextWriter(appliance.memory.writer("translations"))
        self._ear = Ear(appliance.memory, 0)
        self._journal = Mailbox[JournalEntry](appliance.memory, "journal", "tts", JournalEntry)
        self._count = 0

    def says(self) -> float:
        """One more clause; returns how loud it was at its end: 0.5 is Ana, 0.8 Ana excited, 0.2 a stock voice."""
        self._count += 1
        self._writer.write(a_translation(f"Frase {self._count}.", self._count))
        frames = self._ear.hears(self._count)
        clause = [frame for frame in frames if frame.stream == frames[-1].stream]
        self.frames = len(clause)
        sound = np.frombuffer(b"".join(frame.payload for frame in clause), "<i2")
        self._journal.collect(self._count)
        return round(float(np.abs(sound[len(sound) // 2 :]).max()) / 32_768, 2)

    def stock_legs(self) -> dict[str, int]:
        """How many legs are not spoken in their own voice, by reason, once tts has counted."""
        self.waits_for_a_turn()
        counts = reasons(self.tts.vitals.get("stock_legs"))
        return {reason: count for reason, count in zip(REASONS, counts, strict=True) if count}

    def waits_for_a_turn(self) -> None:
        """Until tts has seen the roster as it is now."""
        for since_ns in (now_ns(), now_ns() + NS_PER_MS):
            wait_until(lambda since_ns=since_ns: self.tts.vitals.heartbeat_ns > since_ns)

    def until(self, loudness: float) -> None:
        """Go on until clauses are so loud."""
        wait_until(lambda: self.says() == loudness)

    def events(self) -> list[tuple[str, str]]:
        """Status and reason of all health events so far."""
        wait_until(lambda: sum(isinstance(entry, Spoken) for entry in self._journal.collect(0)) >= self._count)
        found = [entry for entry in self._journal.messages if isinstance(entry, HealthEvent)]
        assert all((event.component, event.session_id) == ("voice", "r1") for event in found)
        return [(event.status, event.action) for event in found]


def speaks_as(appliance: Appliance, speaker: str, manner: int = 0) -> None:
    """The roster says so of leg 0."""
    first = msgspec.structs.replace(LEGS[0], speaker=speaker, chosen_by="number" if speaker else "", manner=manner)
    appliance.memory.write_roster(Roster((first, LEGS[1]), LANES))


@pytest.fixture
def begin(appliance: Appliance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Talk]:
    """Start tts with these voices on file."""
    appliance.config = msgspec.structs.replace(appliance.config, voices=voices_in(tmp_path))

    def start(*voices: str, speaker: str = "v-ana") -> Talk:
        if voices:
            change(appliance.config.voices, "\n".join(voices))
        engine = ToyCloner()
        monkeypatch.setattr(procs.tts, "load_synthesizers", lambda _: Engines({"toy": engine}, {"*": ("toy",)}))
        speaks_as(appliance, speaker)
        return Talk(appliance, engine, appliance.start("tts", procs.tts.main))

    return start


def test_the_toy_is_what_it_plays() -> None:
    assert isinstance(ToyCloner(), CloningSynthesizer)
    assert isinstance(ToyCloner(), VoiceConditioner)


def test_a_leg_speaks_in_its_speakers_voice_manner_and_speed(begin: Callable[..., Talk]) -> None:
    talk = begin(ANA.format(more=FASTER))
    talk.until(0.5)
    speaks_as(talk.appliance, "v-ana", manner=1)
    talk.until(0.8)
    speaks_as(talk.appliance, "v-ana", manner=7)  # enrolled anew meanwhile, with fewer
    assert talk.says() == 0.8
    assert talk.engine.said[-1][::2] == ("v-ana", 1.25)
    assert talk.events() == [("CLONED", "lane 0 is spoken with v-ana")]


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        ("store.edit('v-ana', lambda one: replace(one, consent=replace(CONSENT, withdrawn_at=NOW)))", "has withdrawn"),
        ("store.edit('v-ana', lambda one: replace(one, consent=replace(CONSENT, expires_at=NOW)))", "has expired"),
        ("store.edit('v-ana', lambda one: replace(one, consent=None))", "has no consent on file"),
        ("store.delete('v-ana')", "there is no voice v-ana"),
    ],
    ids=["withdrawn", "expired", "none", "deleted"],
)
def test_a_voice_that_may_not_be_used_any_more_is_a_stock_voice_within_the_call_and_comes_back(
    begin: Callable[..., Talk], harm: str, sentence: str
) -> None:
    talk = begin(ANA.format(more=""))
    talk.until(0.5)
    own_frames = talk.frames
    change(talk.appliance.config.voices, harm)
    talk.until(STOCK_LOUDNESS)
    assert talk.frames == own_frames + NOTES_FRAMES
    assert talk.says() == STOCK_LOUDNESS
    assert talk.frames == own_frames
    assert talk.stock_legs() == {"missing" if "delete" in harm else "consent": 1}
    change(talk.appliance.config.voices, ANA.format(more=""))
    talk.until(0.5)
    assert talk.stock_legs() == {}
    told = talk.events()
    assert [status for status, _ in told] == ["CLONED", "DEGRADED", "RESTORED"]
    assert sentence in told[1][1]


def test_a_damaged_voice_harms_nobody_and_is_told_once(begin: Callable[..., Talk]) -> None:
    talk = begin(ANA.format(more=""), "store._slots.write(0, b'x' * 60)")
    assert talk.says() == STOCK_LOUDNESS
    wait_until(lambda: bool(talk.says() and talk.events()))
    assert talk.says() == STOCK_LOUDNESS
    [(status, action)] = talk.events()
    assert status == "DEGRADED"
    assert "the voice v-ana is damaged" in action
    assert talk.stock_legs() == {"damaged": 1}
    speaks_as(talk.appliance, "")
    assert talk.stock_legs() == {}, "nobody's voice is missed any more"


def test_a_store_that_is_no_store_harms_nobody(begin: Callable[..., Talk], appliance: Appliance) -> None:
    folder = appliance.config.voices.folder
    folder.mkdir()
    (folder / "data.mdb").write_bytes(b"nothing of the kind" * 1000)
    talk = begin()
    wait_until(lambda: bool(talk.says() and talk.events()))
    assert talk.says() == STOCK_LOUDNESS
    [(status, action)] = talk.events()
    assert status == "DEGRADED"
    assert "is damaged" in action


def test_a_leg_of_nobody_is_a_stock_voice_without_a_word(begin: Callable[..., Talk]) -> None:
    talk = begin(ANA.format(more=""), speaker="")
    assert talk.says() == talk.says() == STOCK_LOUDNESS
    assert talk.events() == []
    assert talk.stock_legs() == {}


def test_a_voice_that_the_engine_cannot_speak_with_costs_no_clause_and_is_tried_again_later(
    begin: Callable[..., Talk],
) -> None:
    talk = begin(ANA.format(more=""))
    talk.until(0.5)
    talk.engine.broken_for = {"v-ana"}
    own_frames = talk.frames
    assert talk.says() == STOCK_LOUDNESS
    assert talk.frames == own_frames + NOTES_FRAMES
    talk.engine.broken_for = set()
    assert talk.says() == STOCK_LOUDNESS  # not tried so soon
    assert talk.frames == own_frames
    assert talk.stock_legs() == {"engine": 1}
    talk.until(0.5)
    assert talk.frames == own_frames + NOTES_FRAMES
    told = talk.events()
    assert [status for status, _ in told] == ["CLONED", "DEGRADED", "RESTORED"]
    assert "it cannot speak as v-ana" in told[1][1]


def test_a_voice_made_for_another_engine_is_said_so_and_its_speed_still_counts(begin: Callable[..., Talk]) -> None:
    talk = begin(ANA.format(more=FASTER).replace("'toy'", "'another'"))
    wait_until(lambda: bool(talk.says() and talk.events()))
    assert talk.engine.said[-1][::2] == ("stock", 1.25)
    assert talk.events() == [
        ("STOCK", "lane 0 is spoken with a stock voice: v-ana was not enrolled for toy; enrol it again")
    ]
    assert talk.stock_legs() == {"another_engine": 1}


def test_a_store_that_hangs_is_not_waited_for_and_not_trusted_for_long(
    begin: Callable[..., Talk], monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = begin(ANA.format(more=""))
    talk.until(0.5)
    answers, read = threading.Event(), VoiceReader._read

    def hangs(reader: VoiceReader) -> None:
        assert answers.wait(60)
        read(reader)

    monkeypatch.setattr(VoiceReader, "_read", hangs)
    assert talk.says() == 0.5
    monkeypatch.setattr(leg_voices, "STALE_NS", 2_000 * NS_PER_MS)
    talk.until(STOCK_LOUDNESS)
    answers.set()
    talk.until(0.5)
    told = talk.events()
    assert [status for status, _ in told] == ["CLONED", "DEGRADED", "RESTORED"]
    assert "the store of voices does not answer" in told[1][1]


# --- temporary voices ---


def offer(talk: Talk, loudness: float, leg: Leg = LEGS[0]) -> None:
    """What the process `voices` hands on: six seconds of speech, or nothing to forget it."""
    pcm = np.full(96_000, loudness * 32_767, "<i2").tobytes() if loudness else bytes(2)
    talk.appliance.memory.writer("samples").push_many(pcm, leg.place, SPEECH_STARTS_NS, leg.call, START | END)


def test_a_voice_is_learned_in_the_call_and_forgotten_with_it(begin: Callable[..., Talk], tmp_path: Path) -> None:
    talk = begin(speaker="")
    assert talk.says() == STOCK_LOUDNESS
    offer(talk, 0.6)
    talk.until(0.6)
    offer(talk, 0)
    talk.until(STOCK_LOUDNESS)
    offer(talk, 0.7)
    talk.until(0.7)
    speaks_as(talk.appliance, "")
    assert talk.says() == 0.7
    talk.appliance.memory.write_roster(Roster((LEGS[1],), ()))  # the leg has hung up …
    talk.waits_for_a_turn()
    talk.appliance.memory.write_roster(Roster(LEGS, LANES))  # … and somebody else comes to its place
    assert talk.says() == STOCK_LOUDNESS
    assert not list(tmp_path.iterdir())  # nothing was written anywhere


def test_what_is_being_learned_when_it_is_taken_back_is_never_spoken_with(tmp_path: Path) -> None:
    slow, leg = SlowCloner(), (0, 7)
    reader = VoiceReader(voices_in(tmp_path), {"toy": slow})
    reader.want(frozenset(), frozenset({leg, (1, 7)}))
    for take_back in (lambda: reader.learn(leg, NOTHING), lambda: reader.want(frozenset(), frozenset({(1, 7)}))):
        slow.free.clear()
        slow.begun.clear()
        reader.learn(leg, np.full(96_000, 0.5, np.float32))
        assert slow.begun.wait(60)
        take_back()
        slow.free.set()
        reader.learn((1, 7), np.full(96_000, 0.4, np.float32))
        wait_until(lambda: (1, 7) in reader.learned)
        assert leg not in reader.learned
        reader.learn((1, 7), NOTHING)
        reader.want(frozenset(), frozenset({leg, (1, 7)}))
    reader.close()


class SlowCloner(ToyCloner):
    """Learns no sooner than it is `free`."""

    def __init__(self) -> None:
        super().__init__()
        self.free, self.begun = threading.Event(), threading.Event()

    def condition(self, speaker_id: str, samples: Samples, rate_hz: int) -> ClonedVoice:
        self.begun.set()
        assert self.free.wait(60)
        return super().condition(speaker_id, samples, rate_hz)


def test_what_is_on_file_comes_before_what_was_learned_unless_it_was_made_for_another_engine(
    begin: Callable[..., Talk],
) -> None:
    talk = begin(ANA.format(more=""), ANA.format(more="").replace("'toy'", "'another'").replace("v-ana", "v-bob"))
    talk.until(0.5)
    offer(talk, 0.6)
    assert talk.says() == 0.5
    speaks_as(talk.appliance, "v-bob")
    talk.until(0.6)
