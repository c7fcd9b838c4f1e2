"""Deepgram's streams through the real SDK, against a server that speaks its protocols and fails in every way."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import Any

import pytest
from fakes.deepgram import KEY, Abort, Chatter, Close, DeepgramServer, Drip, Fault, HalfOpen, Refuse
from fakes.speech import TEXT, frames_of

from appliance.engines.deepgram import Deepgram, DeepgramSettings
from appliance.engines.deepgram_connection import Deadlines
from appliance.engines.protocols import EngineRefused, EngineUnavailable, StreamContext, StreamingRecognizer, Transcript
from appliance.units import FRAME_BYTES, FRAME_NS, FRAMES_PER_S, NS_PER_MS

MODELS = ("nova-3", "flux-general-en")
CONTEXT = StreamContext(session_id="r1a2b3c4d", speaker_id="leg1")
CLOCK_NS = 1_000 * NS_PER_MS  # when the first frame was captured
FIRST = 7_000  # … and its sequence number


@contextmanager
def deepgram(server: DeepgramServer, model: str = "nova-3", **settings: Any) -> Iterator[Deepgram]:
    """The engine, impatient enough for a test."""
    given = {"key": KEY, "reconnect_s": (0.05,), "patience_s": 600.0, "deadlines": Deadlines(5.0, 1.0)} | settings
    engine = Deepgram(DeepgramSettings(model=model, server=server.url, **given))
    try:
        yield engine
    finally:
        engine.close()


class Leg:
    """One who speaks into a stream, and keeps all that comes out of it."""

    def __init__(self, engine: Deepgram, language: str = "en", context: StreamContext = CONTEXT) -> None:
        self.stream = engine.open(context, language)
        self.heard: list[Transcript] = []
        self.frames = 0  # captured so far, fed or not

    def feed(self, frames: list[bytes]) -> None:
        for pcm in frames:
            self.stream.feed(pcm, CLOCK_NS + self.frames * FRAME_NS, FIRST + self.frames)
            self.frames += 1

    def says(self, text: str, pause_s: float = 0.6) -> None:
        self.feed(frames_of(text, pause_s))

    def listen(self, words: int, and_is_silent: bool = True) -> list[str]:
        """The words in final transcripts, once there are so many. Meanwhile a real leg goes on sending silence.

        This one has no other recognizer, and waits for this to be back whenever it is away.
        """

        def all_there() -> bool:
            self.feed([bytes(FRAME_BYTES)] if and_is_silent else [])
            with suppress(EngineUnavailable):
                self.heard += self.stream.take()
            return len(self.final_words) >= words

        wait_until(all_there)
        return self.final_words

    @property
    def final_words(self) -> list[str]:
        return [word.text for transcript in self.heard if transcript.final for word in transcript.committed]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


@pytest.mark.parametrize("model", MODELS)
def test_words_arrive_while_they_are_spoken_and_then_for_good(model: str) -> None:
    with DeepgramServer() as server, deepgram(server, model) as engine:
        leg = Leg(engine)
        leg.says("one two three")
        assert leg.listen(3) == ["one", "two", "three"]
    assert any(transcript.tentative for transcript in leg.heard[:-1])
    assert [transcript.final for transcript in leg.heard] == [False] * (len(leg.heard) - 1) + [True]
    assert [transcript.revision for transcript in leg.heard] == list(range(1, len(leg.heard) + 1))
    assert {transcript.context for transcript in leg.heard} == {CONTEXT}


@pytest.mark.parametrize("model", MODELS)
def test_what_is_committed_is_never_taken_back(model: str) -> None:
    with DeepgramServer([Close(110), Abort(70)]) as server, deepgram(server, model) as engine:
        leg = Leg(engine)
        leg.says(TEXT)
        leg.listen(12)
    for before, after in pairwise(leg.heard):
        if before.seq_num == after.seq_num:
            assert after.committed[: len(before.committed)] == before.committed


@pytest.mark.parametrize("model", MODELS)
def test_times_and_numbers_are_those_of_the_audio(model: str) -> None:
    with DeepgramServer([Abort(130)]) as server, deepgram(server, model) as engine:
        leg = Leg(engine)
        leg.says("one two", pause_s=1.0)
        leg.frames += 500  # a long silence that nobody fed
        third = leg.frames
        leg.says("three")
        leg.listen(3)
    first, last = (transcript for transcript in leg.heard if transcript.final)
    assert [(word.start_ns - CLOCK_NS) // FRAME_NS for word in first.committed] == [0, 20]
    assert [(word.end_ns - CLOCK_NS) // FRAME_NS for word in first.committed] == [15, 35]
    assert (first.seq_num, last.seq_num) == (FIRST, FIRST + third)
    assert last.committed[0].start_ns == CLOCK_NS + third * FRAME_NS


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("cut_after_frames", [1, 47, 72, 110])
def test_after_a_cut_of_two_seconds_no_word_is_lost(model: str, cut_after_frames: int) -> None:
    faults = [Abort(cut_after_frames, leave=True)]
    with DeepgramServer(faults) as server, deepgram(server, model) as engine:
        leg = Leg(engine)
        frames = frames_of(TEXT)
        leg.feed(frames[:120])
        wait_until(server.left.is_set)
        leg.feed(frames[120 : 120 + 2 * FRAMES_PER_S])
        attempts = leg.stream.counts.connections
        wait_until(lambda: leg.stream.counts.connections > attempts)  # and finds nobody
        server.arrive()
        leg.feed(frames[120 + 2 * FRAMES_PER_S :])
        assert leg.listen(12) == TEXT.split()
    assert leg.stream.counts.dropped_frames == 0


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "faults",
    [
        [Refuse(429), Refuse(500)],
        [Close(60), Close(35, code=1000)],
        [HalfOpen(60)],
        [Drip(0.01)],
        [Chatter()],
        [Close(1), HalfOpen(1), Refuse(503), Abort(90), Chatter()],
    ],
    ids=["busy", "closed", "half-open", "slow", "unknown messages", "a bad day"],
)
def test_no_fault_loses_or_repeats_a_word(model: str, faults: list[Fault]) -> None:
    with DeepgramServer(faults) as server, deepgram(server, model) as engine:
        leg = Leg(engine)
        leg.says(TEXT)
        assert leg.listen(12) == TEXT.split()
        wait_until(lambda: leg.stream.needed_from > FIRST)


def test_messages_that_nobody_knows_are_counted() -> None:
    with DeepgramServer([Chatter()]) as server, deepgram(server, deadlines=Deadlines(20.0, 20.0, 20.0)) as engine:
        leg = Leg(engine)
        leg.says("one")
        assert leg.listen(1) == ["one"]
        assert leg.stream.counts.unknown_messages >= 2
        assert leg.stream.counts.connections == 1


def test_a_wrong_key_is_refused_for_good_and_never_shown() -> None:
    with DeepgramServer() as server, deepgram(server, key="stolen-key") as engine:
        leg = Leg(engine)
        leg.says("one")
        with pytest.raises(EngineRefused, match="DRAGOMAN_DEEPGRAM_KEY") as refusal:
            leg.listen(1)
        assert "stolen-key" not in repr(refusal.value)
        assert leg.stream.counts.connections == 1


@pytest.mark.parametrize("fault", [Refuse(500), Refuse(429), Close(1), HalfOpen(1), Drip(60.0)])
def test_who_cannot_be_talked_to_is_said_at_once_and_audio_waits_for_its_return(fault: Fault) -> None:
    with DeepgramServer([fault] * 1_000) as server, deepgram(server, deadlines=Deadlines(pulse_s=0.1)) as engine:
        leg = Leg(engine)
        leg.says("one two")

        def is_told() -> bool:
            try:
                return bool(leg.stream.take())
            except EngineUnavailable:
                return True

        wait_until(is_told)  # although its patience would last for ten minutes, and that for an answer for some time
        assert not leg.heard
        server.faults.clear()
        server.arrive()
        assert leg.listen(2) == ["one", "two"]


def test_who_is_hung_up_on_in_mid_speech_and_let_in_again_has_nothing_to_tell() -> None:
    with DeepgramServer([Abort(100)]) as server, deepgram(server) as engine:
        leg = Leg(engine)
        leg.says("one two")
        wait_until(lambda: bool(leg.stream.take()))
        leg.says(TEXT, pause_s=1.0)
        wait_until(lambda: leg.heard.extend(leg.stream.take()) or len(leg.final_words) > 6)
        assert len(server.visits) == 2


def test_nobody_waits_for_a_connection_for_longer_than_patience_lasts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # it takes the call, and never says a word
        settings = DeepgramSettings(KEY, server=f"ws://127.0.0.1:{deaf.getsockname()[1]}", patience_s=0.1)
        engine = Deepgram(settings)
        try:
            leg = Leg(engine)
            leg.says("one")
            with pytest.raises(EngineUnavailable, match="does not take the call"):
                wait_until(lambda: bool(leg.stream.take()))
        finally:
            engine.close()


def test_audio_is_kept_only_as_long_as_was_asked() -> None:
    with DeepgramServer([Abort(1, leave=True)]) as server, deepgram(server, replay_s=1.0) as engine:
        leg = Leg(engine)
        leg.says("one")
        wait_until(server.left.is_set)
        leg.says("two three four five")
        wait_until(lambda: leg.stream.counts.dropped_frames == leg.frames - FRAMES_PER_S)
        assert leg.stream.needed_from == FIRST + leg.frames - FRAMES_PER_S


@pytest.mark.parametrize(("model", "request_type"), [("nova-3", "Finalize"), ("flux-general-en", "ForceEndTurn")])
def test_the_caller_can_end_an_utterance(model: str, request_type: str) -> None:
    with DeepgramServer() as server, deepgram(server, model) as engine:
        leg = Leg(engine)
        leg.says("one two", pause_s=0.0)
        leg.stream.end_utterance()
        leg.says("three", pause_s=0.0)
        leg.stream.end_utterance()
        assert leg.listen(3, and_is_silent=False) == ["one", "two", "three"]
        assert [len(transcript.committed) for transcript in leg.heard if transcript.final] == [2, 1]
        assert server.visits[0].requests == [request_type] * 2


@pytest.mark.parametrize("model", MODELS)
def test_a_leg_that_sends_nothing_is_not_hung_up_on(model: str) -> None:
    deadlines = Deadlines(20.0, 20.0, 20.0, keep_alive_s=0.05)
    with DeepgramServer(idle_s=1.5) as server, deepgram(server, model, deadlines=deadlines) as engine:
        leg = Leg(engine)
        leg.says("one", pause_s=0.0)
        wait_until(lambda: bool(server.visits))
        visit = server.visits[0]
        wait_until(lambda: visit.requests.count("KeepAlive") >= 35 or len(visit.loudness) >= leg.frames + 20)
        leg.says("two")
        assert leg.listen(2) == ["one", "two"]
        assert leg.stream.counts.connections == 1


def test_legs_do_not_hear_each_other() -> None:
    texts = ("one two three", "four five six", "seven eight nine")
    with DeepgramServer([Close(50), None, Abort(20)]) as server, deepgram(server) as engine:
        legs = [Leg(engine, context=StreamContext("room", f"leg{number}")) for number in range(3)]
        for leg, text in zip(legs, texts, strict=True):
            leg.says(text)
        for leg, text in zip(legs, texts, strict=True):
            assert leg.listen(3) == text.split()
            assert {transcript.context for transcript in leg.heard} == {leg.stream.context}


def test_what_is_asked_for_is_what_the_protocol_knows() -> None:
    with DeepgramServer() as server, deepgram(server) as nova, deepgram(server, "flux-general-multi") as flux:
        for engine, language in ((nova, "pt-br"), (nova, "en-za"), (nova, "auto"), (flux, "pt-br")):
            leg = Leg(engine, language)
            leg.says("one")
            leg.listen(1)
            leg.stream.close()
        brazil, africa, detected, hinted = (visit.query for visit in server.visits)
    assert (brazil["model"], brazil["language"], brazil["sample_rate"]) == ("nova-3", "pt-BR", "16000")
    assert (brazil["interim_results"], brazil["endpointing"]) == ("true", "400")
    assert (africa["language"], detected["language"]) == ("en", "multi")
    assert (hinted["language_hint"], hinted["encoding"]) == ("pt", "linear16")


def test_a_language_that_the_model_lacks_is_refused() -> None:
    with DeepgramServer() as server, deepgram(server, "flux-general-en") as engine:
        with pytest.raises(EngineRefused, match='"pt-br"'):
            engine.open(CONTEXT, "pt-br")
        recognizer: StreamingRecognizer = engine  # keeps the protocol
        assert recognizer.languages == {"en"}


def test_without_a_key_nothing_is_loaded() -> None:
    with pytest.raises(EngineRefused, match="DRAGOMAN_DEEPGRAM_KEY"):
        Deepgram(DeepgramSettings(key=""))
