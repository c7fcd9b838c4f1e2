"""asr over real shared memory, with an engine that answers at once, and with Deepgram."""

from collections.abc import Callable
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from fakes.deepgram import KEY, DeepgramServer
from fakes.speech import frames_of
from fakes.tones import GAP_MS, WORD_MS, LoudnessDetector, ToneRecognizer
from stages import LEGS, SPEECH_STARTS_NS, Appliance, Killed, Mailbox, Mouth, wait_until

import procs.asr
from appliance.cloud_config import CloudEngines, DeepgramConfig
from appliance.config import Config, EnginesConfig
from appliance.engines.deepgram import KEY_VARIABLE
from appliance.engines.protocols import (
    BatchRecognizer,
    EngineUnavailable,
    StreamContext,
    StreamingRecognizer,
    Transcript,
)
from appliance.engines.registry import Engines, load_streaming_recognizer
from appliance.frames.messages import HealthEvent, JournalEntry, Segment
from appliance.frames.roster import Leg, Roster
from appliance.recovery import breaker
from appliance.recovery.breaker import State
from appliance.stages import local_streams, transcribing
from appliance.stages.local_stream import LocalStream
from appliance.stages.local_streams import LocalStreams, stream_policy
from appliance.supervision import stillness
from appliance.units import FRAME_BYTES, FRAME_MS, FRAME_NS, NS_PER_MS, NS_PER_S

PAUSE_MS = 800
UNHEARABLE_PERCENT = 66


@pytest.fixture
def recognizer(monkeypatch: pytest.MonkeyPatch) -> ToneRecognizer:
    return plug_in(monkeypatch, {"*": ToneRecognizer()})["*"]


def plug_in(monkeypatch: pytest.MonkeyPatch, toys: dict[str, ToneRecognizer]) -> dict[str, ToneRecognizer]:
    """Let asr load `toys`, by language."""

    def load(_: object, streamed: Callable[[BatchRecognizer], StreamingRecognizer]) -> Engines[StreamingRecognizer]:
        engines = {f"toy {language}": streamed(toy) for language, toy in toys.items()}
        return Engines(engines, {language: (f"toy {language}",) for language in toys})

    monkeypatch.setattr(procs.asr, "load_voice_detector", lambda _: LoudnessDetector())
    monkeypatch.setattr(procs.asr, "load_recognizers", load)
    return toys


@pytest.fixture
def segments(appliance: Appliance) -> Mailbox:
    return Mailbox(appliance.memory, "segments", 0, Segment)


def finals(mailbox: Mailbox, count: int, leg: int | None = None) -> list[Segment]:
    """The first `count` final segments (of a leg); waits for them."""

    def those() -> list[Segment]:
        mailbox.collect(0)
        return [each for each in mailbox.messages if each.final and leg in (None, each.leg)]

    wait_until(lambda: len(those()) >= count)
    return those()


@pytest.mark.usefixtures("recognizer")
def test_asr_says_what_was_said_by_whom_and_when(appliance: Appliance, segments: Mailbox) -> None:
    appliance.start("asr", procs.asr.main)
    mouth = Mouth(appliance.memory, 1)
    mouth.is_silent(1000)
    mouth.says(42, 43)
    mouth.is_silent(PAUSE_MS)
    (segment,) = finals(segments, 1)
    assert (segment.leg, segment.call, segment.language, segment.text) == (1, 3, "pt-br", "42 43")
    said_ns = SPEECH_STARTS_NS + 1000 * NS_PER_MS
    assert abs(segment.start_ns - said_ns) / NS_PER_MS <= 20
    assert abs(segment.end_ns - said_ns) / NS_PER_MS - (2 * WORD_MS + GAP_MS) <= 32
    assert segment.seq_num == segment.start_ns // FRAME_NS


@pytest.mark.usefixtures("recognizer")
def test_asr_hands_on_what_it_hears_of_a_call_each_frame_once(appliance: Appliance, segments: Mailbox) -> None:
    appliance.start("asr", procs.asr.main)
    mouth, heard = Mouth(appliance.memory, 1), appliance.memory.reader("speech", 1)
    mouth.says(42)
    mouth.is_silent(PAUSE_MS)
    finals(segments, 1)
    frames = heard.pop_many(1000)
    assert [frame.capture_ns for frame in frames] == [SPEECH_STARTS_NS + n * FRAME_NS for n in range(len(frames))]
    assert {frame.timestamp for frame in frames} == {3}  # the call
    assert [np.frombuffer(frame.payload, "<i2").max() > 0 for frame in frames].count(True) == WORD_MS // 20


def test_words_are_told_while_their_speaker_goes_on_and_never_taken_back(
    appliance: Appliance, recognizer: ToneRecognizer, segments: Mailbox
) -> None:
    appliance.start("asr", procs.asr.main)
    mouth = Mouth(appliance.memory, 0)
    words = list(range(20, 36))
    for first in range(0, len(words), 2):
        looks = len(recognizer.batches)
        mouth.says(*words[first : first + 2])
        wait_until(lambda looks=looks: len(recognizer.batches) > looks)
    early = segments.collect(3)[:3]
    assert [each.final for each in early] == [False] * 3
    mouth.is_silent(PAUSE_MS)
    finals(segments, 1)
    texts = [each.text for each in segments.messages]
    assert texts[-1] == " ".join(map(str, words))
    assert all(longer.startswith(shorter) for shorter, longer in pairwise(texts))
    assert all(f"{each.text} {each.ahead}".strip() in texts[-1] for each in segments.messages)
    assert any(each.ahead for each in early)
    assert {each.seq_num for each in segments.messages} == {early[0].seq_num}
    assert [each.revision for each in segments.messages] == list(range(len(texts)))


def test_without_simultaneous_nothing_is_told_before_the_pause(
    appliance: Appliance, recognizer: ToneRecognizer, segments: Mailbox
) -> None:
    appliance.config = msgspec.structs.replace(appliance.config, engines=EnginesConfig(simultaneous=False))
    appliance.start("asr", procs.asr.main)
    mouth = Mouth(appliance.memory, 0)
    mouth.says(*range(20, 30))
    wait_until(lambda: appliance.memory.ring_state("uplink", 0).depth == 0)
    mouth.is_silent(PAUSE_MS)
    (segment,) = segments.collect(1)
    assert segment.final
    assert segment.text == " ".join(map(str, range(20, 30)))
    assert recognizer.heard == [segment.text]


@pytest.mark.usefixtures("recognizer")
def test_asr_keeps_legs_apart_and_utterances_in_order(appliance: Appliance, segments: Mailbox) -> None:
    appliance.start("asr", procs.asr.main)
    mouths = Mouth(appliance.memory, 0), Mouth(appliance.memory, 1)
    for percent in (20, 30, 40):
        for leg, mouth in enumerate(mouths):
            mouth.says(percent + leg)
            mouth.is_silent(PAUSE_MS)
    for leg in (0, 1):
        mine = finals(segments, 3, leg)
        assert [segment.text for segment in mine] == [str(percent + leg) for percent in (20, 30, 40)]
        assert [segment.seq_num for segment in mine] == sorted({segment.seq_num for segment in mine})


def test_legs_that_speak_at_once_are_decoded_together(
    appliance: Appliance, recognizer: ToneRecognizer, segments: Mailbox
) -> None:
    mouths = Mouth(appliance.memory, 0), Mouth(appliance.memory, 1)
    for leg, mouth in enumerate(mouths):
        mouth.says(20 + leg)
        mouth.is_silent(PAUSE_MS)
    appliance.start("asr", procs.asr.main)
    finals(segments, 2)
    assert recognizer.batches == [["20", "21"]]


def test_a_slow_engine_delays_no_leg_of_another(
    appliance: Appliance, segments: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stillness, "LIMIT_NS", 60 * NS_PER_S)
    toys = plug_in(monkeypatch, {"en": ToneRecognizer(), "*": ToneRecognizer()})
    toys["en"].free.clear()
    appliance.start("asr", procs.asr.main)
    for leg, percent in ((0, 20), (1, 30)):
        mouth = Mouth(appliance.memory, leg)
        mouth.says(percent)
        mouth.is_silent(PAUSE_MS)
        wait_until(lambda toy=toys[("en", "*")[leg]]: toy.heard != [])
    assert [segment.text for segment in finals(segments, 1)] == ["30"]
    toys["en"].free.set()
    assert [segment.text for segment in finals(segments, 1, leg=0)] == ["20"]


def test_an_utterance_is_recognised_in_its_pause_and_not_again_at_its_end(
    appliance: Appliance, recognizer: ToneRecognizer, segments: Mailbox
) -> None:
    appliance.start("asr", procs.asr.main)
    mouth = Mouth(appliance.memory, 0)
    mouth.says(30)
    mouth.is_silent(220)
    wait_until(lambda: recognizer.heard == ["30"])  # nobody knows yet whether it is over
    assert segments.collect(0) == []
    mouth.is_silent(400)
    assert [segment.text for segment in finals(segments, 1)] == ["30"]
    assert recognizer.heard == ["30"]


def test_what_was_recognised_in_a_pause_is_said_once_when_speech_goes_on(
    appliance: Appliance, recognizer: ToneRecognizer, segments: Mailbox
) -> None:
    appliance.start("asr", procs.asr.main)
    mouth = Mouth(appliance.memory, 0)
    mouth.says(30)
    mouth.is_silent(220)
    wait_until(lambda: recognizer.heard == ["30"])
    mouth.says(50)
    mouth.is_silent(PAUSE_MS)
    assert [segment.text for segment in finals(segments, 1)] == ["30 50"]


def test_sound_without_words_and_a_failing_engine_give_no_segment(
    appliance: Appliance, recognizer: ToneRecognizer, segments: Mailbox
) -> None:
    context = appliance.start("asr", procs.asr.main)
    mouth = Mouth(appliance.memory, 0)
    for percent, text in ((13, ""), (66, "66"), (77, "77")):
        mouth.says(percent)
        mouth.is_silent(PAUSE_MS)
        wait_until(lambda text=text: text in recognizer.heard)
    assert [segment.text for segment in finals(segments, 1)] == ["77"]
    assert context.vitals.get("engine_errors") == 2  # it was tried twice


def test_words_before_the_window_are_given_as_prompt(
    appliance: Appliance, recognizer: ToneRecognizer, segments: Mailbox
) -> None:
    appliance.start("asr", procs.asr.main)
    mouth = Mouth(appliance.memory, 0)
    for percent in (20, 30):
        mouth.says(percent)
        mouth.is_silent(PAUSE_MS)
        wait_until(lambda text=str(percent): text in recognizer.heard)
    finals(segments, 2)
    assert recognizer.prompts == ["", "20"]


def test_an_asr_killed_between_utterances_hears_again_what_it_had_not_told(
    appliance: Appliance, recognizer: ToneRecognizer, segments: Mailbox
) -> None:
    mouth = Mouth(appliance.memory, 0)
    recognizer.killed_by = {"40": Killed()}
    appliance.start("asr", procs.asr.main)
    mouth.says(20)
    mouth.is_silent(PAUSE_MS)
    finals(segments, 1)
    mouth.says(40)
    mouth.is_silent(PAUSE_MS)
    appliance.wait_for_death()
    mouth.says(60)  # while nobody listens
    mouth.is_silent(PAUSE_MS)
    appliance.start("asr", procs.asr.main)
    assert [segment.text for segment in finals(segments, 3)] == ["20", "40", "60"]
    assert recognizer.heard.count("20") == 1


def test_an_asr_killed_in_mid_sentence_goes_on_after_the_last_word_it_told(
    appliance: Appliance, recognizer: ToneRecognizer, segments: Mailbox
) -> None:
    mouth = Mouth(appliance.memory, 0)
    recognizer.killed_by = {"28": Killed()}
    appliance.start("asr", procs.asr.main)
    for percent in (20, 22, 24, 26, 28):
        looks = len(recognizer.batches)
        mouth.says(percent, percent + 1)
        wait_until(lambda looks=looks: len(recognizer.batches) > looks)
    appliance.wait_for_death()
    told = segments.collect(1)[-1]
    assert not told.final
    mouth.says(30, 31)
    mouth.is_silent(PAUSE_MS)
    appliance.start("asr", procs.asr.main)
    (rest,) = finals(segments, 1)
    assert f"{told.text} {rest.text}" == " ".join(map(str, range(20, 32)))
    assert rest.seq_num > told.seq_num


@pytest.mark.usefixtures("recognizer")
def test_who_takes_over_in_mid_sentence_waits_for_no_more_speech(appliance: Appliance, segments: Mailbox) -> None:
    mouth = Mouth(appliance.memory, 0)
    mouth.says(*range(20, 26))
    appliance.start("asr", procs.asr.main)
    told = segments.collect(1)[0]  # and its speaker has not said more
    assert not told.final
    assert told.text
    assert " ".join(map(str, range(20, 26))).startswith(told.text)
    mouth.says(26, 27)
    mouth.is_silent(PAUSE_MS)
    assert finals(segments, 1)[0].text == " ".join(map(str, range(20, 28)))


def committed(appliance: Appliance) -> int:
    return appliance.memory.ring_state("uplink", 0).committed


@pytest.mark.usefixtures("recognizer")
def test_the_next_call_at_a_place_hears_nothing_of_the_one_before(appliance: Appliance, segments: Mailbox) -> None:
    asr = appliance.start("asr", procs.asr.main)
    mouth = Mouth(appliance.memory, 0)
    mouth.says(20)
    mouth.is_silent(PAUSE_MS)
    finals(segments, 1)
    mouth.makes(30, 200)  # hangs up in the middle of a word
    appliance.memory.write_roster(Roster())
    wait_until(lambda: committed(appliance) == appliance.memory.ring_state("uplink", 0).head)
    appliance.memory.write_roster(Roster((Leg(0, 8, "r2", "pt-br", None),), ()))
    mouth.says(50)
    mouth.is_silent(PAUSE_MS)
    assert [(each.call, each.text) for each in finals(segments, 2)] == [(7, "20"), (8, "50")]
    assert asr.vitals.get("dropped_frames") == 0


def test_an_overrun_costs_the_utterance_it_hits_and_is_counted(
    appliance: Appliance, recognizer: ToneRecognizer, segments: Mailbox
) -> None:
    mouth = Mouth(appliance.memory, 0)
    asr = appliance.start("asr", procs.asr.main)
    mouth.says(20)
    wait_until(lambda: appliance.memory.ring_state("uplink", 0).depth == 0)
    appliance.stop()
    mouth.says(*[30, 31] * 20)  # laps the ring: 14.4 s
    mouth.is_silent(PAUSE_MS)
    mouth.says(60)
    mouth.is_silent(PAUSE_MS)
    asr = appliance.start("asr", procs.asr.main)
    assert finals(segments, 2)[-1].text == "60"
    assert "20" not in " ".join(recognizer.heard)
    assert asr.vitals.get("dropped_frames") >= 200


def test_music_without_end_is_not_kept_for_ever(
    appliance: Appliance, recognizer: ToneRecognizer, segments: Mailbox
) -> None:
    appliance.start("asr", procs.asr.main)
    mouth = Mouth(appliance.memory, 0)
    for _ in range(30):
        looks = len(recognizer.batches)
        mouth.makes(13, 1000)
        wait_until(lambda looks=looks: len(recognizer.batches) > looks)
    state = appliance.memory.ring_state("uplink", 0)
    assert state.head - state.committed < state.slots
    mouth.says(60)
    mouth.is_silent(PAUSE_MS)
    assert [segment.text for segment in finals(segments, 1)] == ["60"]


@pytest.mark.parametrize("engine", ["deepgram-nova", "deepgram-flux"])
def test_deepgram_can_be_the_recognizer(
    appliance: Appliance, segments: Mailbox, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    with DeepgramServer() as server:
        appliance.config = msgspec.structs.replace(
            appliance.config,
            engines=EnginesConfig(recognizers={"*": engine}),
            cloud=CloudEngines(deepgram=DeepgramConfig(server=server.url)),
        )
        appliance.start("asr", procs.asr.main)
        mouth = Mouth(appliance.memory, 0)
        mouth.plays(frames_of("one two three four five six"))

        def is_told() -> bool:
            mouth.plays([bytes(FRAME_BYTES)])
            return any(each.final for each in segments.collect(0))

        wait_until(is_told)
        assert finals(segments, 1)[-1].text == "one two three four five six"
        assert segments.messages[0].text.split()[0] == "one"
        appliance.stop()
    wait_until(lambda: committed(appliance) > 0)


def test_a_recognizer_that_refuses_is_told_and_nobody_dies(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "bad-key")
    with DeepgramServer() as server:
        appliance.config = msgspec.structs.replace(
            appliance.config,
            engines=EnginesConfig(recognizers={"*": "deepgram-nova"}),
            cloud=CloudEngines(deepgram=DeepgramConfig(server=server.url)),
        )
        asr = appliance.start("asr", procs.asr.main)
        mouth = Mouth(appliance.memory, 0)
        mouth.plays(frames_of("one two three"))
        wait_until(lambda: asr.vitals.get("engine_errors") > 0)
        heartbeat_ns = asr.vitals.heartbeat_ns
        wait_until(lambda: asr.vitals.heartbeat_ns > heartbeat_ns)
        assert asr.vitals.get("engine_errors") == 1


@pytest.mark.usefixtures("recognizer")
def test_a_language_that_nobody_knows_is_found_out_before_anything_is_told(
    appliance: Appliance, segments: Mailbox
) -> None:
    appliance.memory.write_roster(Roster((Leg(0, 7, "r1", "auto", None),), ()))
    appliance.start("asr", procs.asr.main)
    mouth = Mouth(appliance.memory, 0)
    for words in ((60, 61), (62, 63), (64, 65), (67, 68)):  # loud is Portuguese
        mouth.says(*words)
    mouth.is_silent(PAUSE_MS)
    (first,) = finals(segments, 1)
    assert (first.text, first.language) == ("60 61 62 63 64 65 67 68", "pt-br")
    for place in range(24):  # a long speech in English
        mouth.says(20 + place, 21 + place)
        mouth.is_silent(PAUSE_MS)
        finals(segments, 2 + place)
    languages = [each.language for each in segments.messages if each.final]
    assert languages[:2] == ["pt-br", "pt-br"]  # a word or two of another language change nothing
    assert languages[-1] == "en"


# --- when an engine fails ---


class Remote(LocalStreams):
    """An engine that can be away, and then hears nothing; or only from `deaf_to`, one of its legs."""

    away = False
    deaf_to = ""

    def open(self, context: StreamContext, language: str) -> LocalStream:
        stream = super().open(context, language)
        take = stream.take

        def take_if_there() -> list[Transcript]:
            if self.away or context.speaker_id == self.deaf_to:
                raise EngineUnavailable("no answer from afar")
            return take()

        stream.take = take_if_there
        return stream

    def advance(self) -> None:
        if not self.away:
            super().advance()


@pytest.fixture
def chained(appliance: Appliance, monkeypatch: pytest.MonkeyPatch) -> tuple[Remote, ToneRecognizer, ToneRecognizer]:
    """An engine that is far away, what it hears, and what the one behind it hears."""
    names = ("deepgram-nova", "whisper-base")
    engines = EnginesConfig(recognizers={"*": names})
    appliance.config = msgspec.structs.replace(appliance.config, engines=engines)
    appliance.memory.write_roster(Roster(LEGS[:1]))
    first, second = ToneRecognizer(), ToneRecognizer()
    policy = stream_policy(engines)
    remote = Remote(first, LoudnessDetector(), policy)
    both = {"deepgram-nova": remote, "whisper-base": LocalStreams(second, LoudnessDetector(), policy)}
    monkeypatch.setattr(procs.asr, "load_voice_detector", lambda _: LoudnessDetector())
    monkeypatch.setattr(procs.asr, "load_recognizers", lambda *_: Engines(both, {"*": names}))
    return remote, first, second


def says_ten_words(mouth: Mouth, recognizer: ToneRecognizer) -> None:
    """The numbers from 20 to 29, each pair looked at before the next one is said."""
    for percent in range(20, 30, 2):
        looks = len(recognizer.batches)
        mouth.says(percent, percent + 1)
        wait_until(lambda looks=looks: len(recognizer.batches) > looks)


def test_when_an_engine_is_away_the_next_one_hears_what_had_not_been_told_and_nothing_else(
    appliance: Appliance, segments: Mailbox, chained: tuple[Remote, ToneRecognizer, ToneRecognizer]
) -> None:
    remote, first, second = chained
    asr = appliance.start("asr", procs.asr.main)
    mouth = Mouth(appliance.memory, 0)
    says_ten_words(mouth, first)
    segments.collect(1)
    remote.away = True
    mouth.says(30, 31)
    mouth.is_silent(PAUSE_MS)
    wait_until(lambda: any("31" in text for text in second.heard))
    told = finals(segments, 2)
    assert " ".join(segment.text for segment in told) == " ".join(map(str, range(20, 32)))
    assert "20" not in " ".join(second.heard)
    assert asr.vitals.get("engine_errors") == 1
    assert asr.vitals.get("dropped_frames") == 0


def test_what_an_engine_stumbles_over_is_heard_by_the_next_one_and_no_word_is_lost_or_told_twice(
    appliance: Appliance, segments: Mailbox, chained: tuple[Remote, ToneRecognizer, ToneRecognizer]
) -> None:
    _, first, second = chained
    first.killed_by = {"30": ValueError("tensor of unexpected shape")}
    asr = appliance.start("asr", procs.asr.main)
    mouth = Mouth(appliance.memory, 0)
    says_ten_words(mouth, first)
    mouth.says(30, 31)
    mouth.is_silent(PAUSE_MS)
    wait_until(lambda: "31" in " ".join(each.text for each in finals(segments, 1)))
    mouth.says(40)
    mouth.is_silent(PAUSE_MS)
    wait_until(lambda: finals(segments, 1)[-1].text == "40")
    assert " ".join(each.text for each in segments.messages if each.final) == " ".join(map(str, [*range(20, 32), 40]))
    assert "31" in " ".join(second.heard)
    assert "40" in " ".join(first.heard)  # it is first again
    assert (asr.vitals.get("engine_errors"), asr.vitals.get("breakers")) == (1, State.CLOSED)


@pytest.mark.usefixtures("chained")
def test_what_nobody_can_hear_is_left_out_and_nobody_is_given_up_for_it(
    appliance: Appliance, segments: Mailbox
) -> None:
    asr = appliance.start("asr", procs.asr.main)
    mouth = Mouth(appliance.memory, 0)
    mouth.says(UNHEARABLE_PERCENT)
    mouth.is_silent(PAUSE_MS)
    wait_until(lambda: asr.vitals.get("engine_errors") == 3)  # one, and the next one twice
    mouth.says(70)
    mouth.is_silent(PAUSE_MS)
    assert [each.text for each in finals(segments, 1)] == ["70"]
    assert asr.vitals.get("breakers") == State.CLOSED


def test_a_leg_that_an_engine_understands_stays_when_another_one_has_to_leave(
    appliance: Appliance, segments: Mailbox, chained: tuple[Remote, ToneRecognizer, ToneRecognizer]
) -> None:
    remote, first, second = chained
    appliance.memory.write_roster(Roster(LEGS))
    asr = appliance.start("asr", procs.asr.main)
    mine, hers = Mouth(appliance.memory, 0), Mouth(appliance.memory, 1)
    for percent in range(20, 30, 2):
        looks = len(first.batches)
        mine.says(percent, percent + 1)
        wait_until(lambda looks=looks: len(first.batches) > looks)
    segments.collect(1)  # of a sentence that goes on
    remote.deaf_to = "leg1"
    hers.says(80)
    hers.is_silent(PAUSE_MS)
    assert [each.text for each in finals(segments, 1, leg=1)] == ["80"]
    assert asr.vitals.get("breakers") % 4 != State.CLOSED
    mine.says(30, 31)
    mine.is_silent(PAUSE_MS)
    assert " ".join(each.text for each in finals(segments, 1, leg=0)) == " ".join(map(str, range(20, 32)))
    assert {text for heard in second.heard for text in heard.split()} == {"80"}


def test_an_engine_that_nobody_can_stand_in_for_is_given_some_time(
    appliance: Appliance,
    segments: Mailbox,
    chained: tuple[Remote, ToneRecognizer, ToneRecognizer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transcribing, "PATIENCE_NS", 3_600 * NS_PER_S)
    remote, *_ = chained
    alone = Engines({"deepgram-nova": remote}, {"*": ("deepgram-nova",)})
    monkeypatch.setattr(procs.asr, "load_recognizers", lambda *_: alone)
    asr = appliance.start("asr", procs.asr.main)
    mouth = Mouth(appliance.memory, 0)
    remote.away = True
    mouth.says(20)
    mouth.is_silent(PAUSE_MS)
    heartbeat_ns = asr.vitals.heartbeat_ns
    wait_until(lambda: asr.vitals.heartbeat_ns > heartbeat_ns)
    remote.away = False
    assert [each.text for each in finals(segments, 1)] == ["20"]
    assert (asr.vitals.get("engine_errors"), asr.vitals.get("breakers") % 4) == (0, State.CLOSED)


def test_an_engine_that_is_back_is_heard_again_when_nobody_speaks(
    appliance: Appliance,
    segments: Mailbox,
    chained: tuple[Remote, ToneRecognizer, ToneRecognizer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(breaker, "FIRST_PAUSE_NS", 100 * NS_PER_MS)
    remote, first, _ = chained
    remote.away = True
    asr = appliance.start("asr", procs.asr.main)
    mouth = Mouth(appliance.memory, 0)
    mouth.says(20)
    mouth.is_silent(PAUSE_MS)
    finals(segments, 1)
    remote.away = False
    for number, percent in enumerate(range(30, 80), 2):
        mouth.says(percent)
        mouth.is_silent(PAUSE_MS)
        finals(segments, number)
        if first.heard:
            break
    assert [segment.text for segment in finals(segments, number)] == ["20", *map(str, range(30, percent + 1))]
    wait_until(lambda: asr.vitals.get("breakers") == State.CLOSED)
    journal = Mailbox(appliance.memory, "journal", "asr", JournalEntry).collect(2)
    events = [entry.status for entry in journal if isinstance(entry, HealthEvent)]
    assert (events[0], events[-1]) == ("breaker open", "breaker closed")
    assert "20" not in first.heard


def test_deepgram_out_of_reach_costs_no_word_where_another_engine_is_behind_it(
    appliance: Appliance, segments: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    names = ("deepgram-nova", "whisper-base")
    with DeepgramServer() as server:
        nowhere = server.url
    appliance.config = msgspec.structs.replace(
        appliance.config,
        engines=EnginesConfig(recognizers={"*": names}),
        cloud=CloudEngines(deepgram=DeepgramConfig(server=nowhere)),
    )

    def load(config: Config, streamed: Callable[[BatchRecognizer], StreamingRecognizer]) -> Engines:
        toy = streamed(ToneRecognizer())
        return Engines({names[0]: load_streaming_recognizer(names[0], config), names[1]: toy}, {"*": names})

    monkeypatch.setattr(procs.asr, "load_voice_detector", lambda _: LoudnessDetector())
    monkeypatch.setattr(procs.asr, "load_recognizers", load)
    asr = appliance.start("asr", procs.asr.main)
    mouth = Mouth(appliance.memory, 0)
    mouth.says(20, 30)
    mouth.is_silent(PAUSE_MS)
    assert [segment.text for segment in finals(segments, 1)] == ["20 30"]
    assert asr.vitals.get("breakers") % 4 == State.OPEN


def test_a_recognizer_that_cannot_keep_up_skips_the_oldest_utterances_and_the_other_engine_does_not_wait(
    appliance: Appliance, segments: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines = msgspec.structs.replace(appliance.config.engines, most_behind_ms=4_000)
    appliance.config = msgspec.structs.replace(appliance.config, engines=engines)
    monkeypatch.setattr(local_streams, "STUCK_S", 60)
    monkeypatch.setattr(stillness, "LIMIT_NS", 60 * NS_PER_S)  # it is slow, and does not hang
    toys = plug_in(monkeypatch, {"en": ToneRecognizer(), "*": ToneRecognizer()})
    toys["en"].free.clear()
    asr = appliance.start("asr", procs.asr.main)
    mouths = Mouth(appliance.memory, 0), Mouth(appliance.memory, 1)
    for percent in range(20, 32):
        for mouth in mouths:
            mouth.says(percent)
            mouth.is_silent(PAUSE_MS)
        wait_until(lambda: appliance.memory.ring_state("uplink", 0).depth == 0)
        assert finals(segments, percent - 19, leg=1)[-1].text == str(percent)
    toys["en"].free.set()
    wait_until(lambda: finals(segments, 1, leg=0)[-1].text == "31")
    told = [segment.text for segment in finals(segments, 1, leg=0)]
    assert told[0] == "20"  # it had begun with that
    assert told[1:] == [str(percent) for percent in range(33 - len(told), 32)]  # and goes on with the newest
    lost = 12 - len(told)
    assert lost > 5
    assert asr.vitals.get("overload_frames") >= lost * WORD_MS // FRAME_MS
    assert asr.vitals.get("dropped_frames") == 0
    journal = Mailbox(appliance.memory, "journal", "asr", JournalEntry).collect(1)
    assert [entry.status for entry in journal if isinstance(entry, HealthEvent)] == ["OVERLOADED"]
