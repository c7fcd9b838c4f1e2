"""What an engine must do to take part: three small protocols, and the values they exchange."""

from collections.abc import Collection, Iterator
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
    """A piece of speech, perhaps with silence around it."""

    samples: Samples
    rate_hz: int


def covers(languages: Collection[str], language: str) -> bool:
    """Whether `language` is among `languages`, by its whole tag ("pt-br") or by its first part ("pt")."""
    return language in languages or language.partition("-")[0] in languages


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


@dataclass(frozen=True, slots=True)
class ClauseSizes:
    """How long the clauses should be that an engine is given, in characters.

    For an engine that is slow to begin: a short first clause, each later one longer, as it is made while another plays.
    """

    first_chars: int
    growth: float
    longest_chars: int


class Synthesizer(Protocol):
    """Text to speech, one clause at a time."""

    languages: frozenset[str]
    clause_sizes: ClauseSizes

    def warm(self) -> None:
        """Run once per language."""

    def synthesize(self, text: str, language: str, speed: float = 1.0) -> Iterator[Speech]:
        """Speak one clause, in one or more pieces, each as soon as it is ready; nothing where there is nothing to say.

        `speed` 1.0 is the engine's idea of an ordinary speaker. Raises EngineError.
        """


class VoiceDetector(Protocol):
    """The probability of speech, window by window.

    It remembers nothing itself: the caller keeps `state_size` numbers for each leg, zeros to begin with.
    """

    window_samples: int
    state_size: int

    def warm(self) -> None:
        """Run once."""

    def detect(self, windows: Samples, state: Samples) -> tuple[Samples, Samples]:
        """Judge n consecutive windows (n, window_samples) of one leg, at 16 kHz; n is at least 1.

        Returns their n probabilities, and the leg's new state.
        """
