"""A synthesizer that clones: what it says is as loud as the voice that it says it with, so that a test can tell."""

from collections.abc import Iterator

import numpy as np

from appliance.engines.protocols import ClauseSizes, ClonedVoice, EngineError, Samples, Speech

MODEL = "toy"
STOCK_LOUDNESS = 0.2


class ToyCloner:
    """A clause is half a second. `said`: who said what, and how fast; `broken_for`: voices it cannot speak with."""

    languages = frozenset({"pt-br", "en"})
    clause_sizes = ClauseSizes(first_chars=60, longest_chars=60)
    most_streams = 1
    conditioning_model = MODEL

    def __init__(self) -> None:
        self.said: list[tuple[str, str, float]] = []
        self.broken_for: set[str] = set()

    def warm(self) -> None: ...

    def synthesize(self, text: str, language: str, speed: float = 1.0) -> Iterator[Speech]:
        del language
        self.said.append(("stock", text, speed))
        yield _speech(STOCK_LOUDNESS)

    def synthesize_as(self, voice: ClonedVoice, text: str, language: str, speed: float = 1.0) -> Iterator[Speech]:
        del language
        if voice.speaker_id in self.broken_for:
            raise EngineError(f"it cannot speak as {voice.speaker_id}")
        self.said.append((voice.speaker_id, text, speed))
        yield _speech(float(voice.speaker_embedding[0]))

    def condition(self, speaker_id: str, samples: Samples, rate_hz: int) -> ClonedVoice:
        """A voice as loud as what was said."""
        assert rate_hz in (16_000, 24_000)  # in a call; at an enrolment
        loudness = float(np.abs(samples).max())
        return ClonedVoice(speaker_id, np.zeros((32, 1024), np.float32), np.full(512, loudness, np.float32))


def _speech(loudness: float) -> Speech:
    return Speech(np.full(8_000, loudness, np.float32), 16_000)


def made(_config: object) -> ToyCloner:
    """For the table of engines."""
    return ToyCloner()
