"""ElevenLabs through its real SDK, against a server that speaks its protocol and fails in every way."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from fakes.elevenlabs import KEY, VOICE, Drip, ElevenLabsServer, Fault, HangUp, Refuse, Stop, sound_of

from appliance.engines.elevenlabs import FULL_SCALE, ElevenLabs, ElevenLabsSettings
from appliance.engines.protocols import EngineError, EngineRefused, EngineUnavailable, Samples, Synthesizer
from appliance.units import SAMPLE_RATE_HZ

MakeEngine = Callable[..., ElevenLabs]
TEXT = "Bom dia, como vai?"


@pytest.fixture
def engine() -> Iterator[MakeEngine]:
    with ExitStack() as engines:

        def make(server: ElevenLabsServer, **settings: Any) -> ElevenLabs:
            synthesizer = ElevenLabs(
                ElevenLabsSettings(**({"key": KEY, "voice": VOICE, "server": server.url} | settings))
            )
            engines.callback(synthesizer.close)
            return synthesizer

        yield make


def spoken(synthesizer: Synthesizer, **how: Any) -> Samples:
    pieces = list(synthesizer.synthesize(TEXT, "pt-br", **how))
    assert {piece.rate_hz for piece in pieces} == {SAMPLE_RATE_HZ}
    return np.concatenate([piece.samples for piece in pieces])


def test_every_sample_arrives_in_order(engine: MakeEngine) -> None:
    with ElevenLabsServer() as server:
        samples = spoken(engine(server, answer_ms=20_000))
    assert (samples * FULL_SCALE).astype("<i2").tobytes() == sound_of(TEXT)


def test_what_is_asked_for_is_raw_sound_in_the_voice_and_language(engine: MakeEngine) -> None:
    with ElevenLabsServer() as server:
        spoken(engine(server), speed=2.0)
    query, asked = server.requests[0]
    assert query["output_format"] == "pcm_16000"
    assert (asked["text"], asked["model_id"], asked["language_code"]) == (TEXT, "eleven_flash_v2_5", "pt")
    assert asked["voice_settings"]["speed"] == 1.2  # the API takes no more


@pytest.mark.parametrize("fault", [Stop(), Drip(), HangUp()])
def test_sound_that_does_not_come_in_time_is_not_waited_for(fault: Fault, engine: MakeEngine) -> None:
    with ElevenLabsServer(fault) as server:
        with pytest.raises(EngineUnavailable):
            spoken(engine(server, answer_ms=300))
        assert not server.released.is_set()  # the server had not ended
        server.released.set()


def test_what_came_before_the_failure_is_heard(engine: MakeEngine) -> None:
    with ElevenLabsServer(HangUp()) as server:
        pieces = engine(server).synthesize(TEXT, "pt-br")
        assert len(next(pieces).samples) > 0
        with pytest.raises(EngineUnavailable):
            list(pieces)


def test_a_caller_may_stop_listening(engine: MakeEngine) -> None:
    with ElevenLabsServer() as server:
        synthesizer = engine(server)
        pieces = synthesizer.synthesize(TEXT, "pt-br")
        next(pieces)
        pieces.close()  # type: ignore[attr-defined]
        assert len(spoken(synthesizer)) > 0


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, EngineRefused),
        (404, EngineRefused),
        (422, EngineRefused),
        (429, EngineUnavailable),
        (500, EngineUnavailable),
    ],
)
def test_a_failure_says_whether_to_try_again_and_not_what_was_said(
    status: int, kind: type[EngineError], engine: MakeEngine
) -> None:
    with ElevenLabsServer(Refuse(status)) as server, pytest.raises(kind, match=str(status)) as failure:
        spoken(engine(server))
    assert TEXT not in str(failure.value)
    assert len(server.requests) == 1


def test_a_wrong_key_is_refused_and_never_shown(engine: MakeEngine) -> None:
    with ElevenLabsServer() as server, pytest.raises(EngineRefused, match="DRAGOMAN_ELEVENLABS_KEY") as refusal:
        spoken(engine(server, key="stolen-key"))
    assert "stolen-key" not in repr(refusal.value)


def test_it_is_off_until_it_has_a_key_and_a_voice() -> None:
    with pytest.raises(EngineRefused, match="DRAGOMAN_ELEVENLABS_KEY"):
        ElevenLabs(ElevenLabsSettings(key="", voice=VOICE))
    with pytest.raises(EngineRefused, match="voice"):
        ElevenLabs(ElevenLabsSettings(key=KEY, voice=""))


def test_nothing_is_asked_for_nothing_or_for_a_language_that_it_lacks(engine: MakeEngine) -> None:
    with ElevenLabsServer() as server:
        assert list(engine(server).synthesize(" ", "pt-br")) == []
        with pytest.raises(EngineError, match='"tlh"'):
            list(engine(server).synthesize(TEXT, "tlh"))
    assert not server.requests
