"""Answers that no engine should give, and what is made of them."""

from collections.abc import Iterator

import numpy as np
import pytest

from appliance.engines.protocols import EngineError, EngineUnavailable, Hypothesis, Speech, Word
from appliance.stages.mishaps import as_engine_error, hypotheses_of, sound_of, text_of

TONE = np.full(160, 0.5, np.float32)


def test_an_engines_own_error_is_left_as_it_is() -> None:
    error = EngineUnavailable("no connection")
    assert as_engine_error("deepl", error) is error


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ValueError("bad shape\nand more"), "piper broke off (ValueError: bad shape)"),
        (MemoryError(), "piper broke off (MemoryError)"),
    ],
)
def test_every_other_error_becomes_one_sentence_and_a_trace(
    error: Exception, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert str(as_engine_error("piper", error)) == sentence
    assert type(error).__name__ in capsys.readouterr().err


@pytest.mark.parametrize("answer", ["Está bem.", "", "x" * 200, "a\nb"])
def test_a_translation_is_text(answer: str) -> None:
    assert text_of("nllb", answer, "All right.") == answer


@pytest.mark.parametrize("answer", [None, 7, b"bytes", ["a"], "\ud800", "x" * 201])
def test_something_else_is_no_translation(answer: object) -> None:
    with pytest.raises(EngineError, match="nllb has answered with something that cannot be a translation"):
        text_of("nllb", answer, "All right.")


def test_a_long_text_may_have_a_long_translation() -> None:
    assert text_of("nllb", "x" * 2_000, "y" * 100)


def spoken(*pieces: Speech) -> Iterator[Speech]:
    return sound_of("piper", iter(pieces))


def test_sound_passes_piece_by_piece() -> None:
    pieces = [Speech(TONE, 22_050), Speech(np.zeros(0, np.float32), 16_000), Speech(TONE.astype(np.float64), 16_000)]
    assert list(spoken(*pieces)) == pieces


@pytest.mark.parametrize(
    "piece",
    [
        Speech(np.array([0.1, np.nan], np.float32), 16_000),
        Speech(np.array([np.inf], np.float32), 16_000),
        Speech(TONE.reshape(2, -1), 16_000),
        Speech((TONE * 32_767).astype(np.int16), 16_000),  # type: ignore[arg-type]
        Speech(TONE, 0),
        Speech(TONE, 10_000_000),
    ],
)
def test_what_cannot_be_played_is_not(piece: Speech) -> None:
    with pytest.raises(EngineError, match="no sound"):
        list(spoken(piece))


def said(text: str = "one", start_ns: int = 0, confidence: float = 1.0, no_speech: float = 0.1) -> Hypothesis:
    return Hypothesis((Word(text, start_ns, start_ns + 1_000, confidence),), no_speech, -0.2)


def test_hypotheses_are_one_for_each_window() -> None:
    assert hypotheses_of("whisper", [said(), said()], 2)
    with pytest.raises(EngineError, match="whisper"):
        hypotheses_of("whisper", [said()], 2)


@pytest.mark.parametrize(
    "strange", [said(text="\udfff"), said(start_ns=-1), said(confidence=float("nan")), said(no_speech=float("inf"))]
)
def test_what_nobody_can_have_said_is_not_believed(strange: Hypothesis) -> None:
    with pytest.raises(EngineError, match="nobody can have said"):
        hypotheses_of("whisper", [strange], 1)
