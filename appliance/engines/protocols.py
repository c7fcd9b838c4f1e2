"""What an engine must do to take part: three small protocols, and the values they exchange."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]  # mono, in -1 … 1


class EngineError(Exception):
    """An engine cannot be loaded or cannot answer; the message is one sentence for a technician."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """What was said. `text` is empty where nothing was understood (silence, noise, a guard that fired)."""

    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Speech:
    """One clause spoken, its silence trimmed."""

    samples: Samples
    rate_hz: int


class Recognizer(Protocol):
    """Speech to text, one utterance at a time."""

    languages: frozenset[str]

    def warm(self) -> None:
        """Run once, so that the first caller does not wait for lazy initialisation."""

    def recognize(self, samples: Samples, language: str) -> Recognition:
        """Transcribe `samples` (16 kHz) spoken in `language`. Raises EngineError."""


class Translator(Protocol):
    """Text to text."""

    pairs: frozenset[tuple[str, str]]

    def warm(self) -> None:
        """Run once per pair."""

    def translate(self, text: str, source: str, target: str) -> str:
        """Translate one segment. Raises EngineError."""


class Synthesizer(Protocol):
    """Text to speech."""

    languages: frozenset[str]

    def warm(self) -> None:
        """Run once per language."""

    def synthesize(self, text: str, language: str, speed: float = 1.0) -> Iterator[Speech]:
        """Speak `text` clause by clause, each yielded as soon as it is ready. Raises EngineError."""
