"""What an engine must do to take part: small protocols, and the values they exchange."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

AUTO = "auto"  # in place of a language: it is found out while they speak

Samples = NDArray[np.float32]  # mono, in -1 … 1


class EngineError(Exception):
    """An engine cannot be loaded or cannot answer; the message is one sentence for a technician."""


class EngineUnavailable(EngineError):  # noqa: N818
    """It cannot answer now (no connection, overloaded, too slow): try again, or take the next engine."""


class EngineHangs(EngineError):  # noqa: N818
    """It does not come back from a call, and will not in this process."""


class EngineRefused(EngineError):  # noqa: N818
    """It will not answer however often it is asked (wrong key, quota used up, licence not accepted)."""


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


@dataclass(frozen=True, slots=True)
class Word:
    """One word with its punctuation, and when it was said (CLOCK_MONOTONIC at capture)."""

    text: str
    start_ns: int
    end_ns: int
    confidence: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Sound to be decoded while its speaker may go on: 16 kHz, with what was said before it, in words."""

    samples: Samples
    language: str
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What a window says. The times of its `words` count from the window's first sample.

    The other two are the recognizer's own doubts: how probable it finds silence, and the mean of its tokens' log
    probabilities.
    """

    words: tuple[Word, ...]
    no_speech: float
    log_probability: float


class BatchRecognizer(Recognizer, Protocol):
    """A recognizer that decodes what many legs say in one batch. It remembers nothing from one batch to the next."""

    most_windows: int  # in one batch

    def decode(self, windows: Sequence[Window]) -> list[Hypothesis]:
        """One hypothesis for each window, as it is: loops and phantoms are the caller's to find. Raises EngineError."""

    def language_probabilities(self, samples: Samples) -> dict[str, float]:
        """How probable each language is; a single one for a model that knows no other. Raises EngineError."""


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

    An engine that is slow to begin gets a short first one; each later one is as long as what plays meanwhile covers.
    """

    first_chars: int
    longest_chars: int


class Synthesizer(Protocol):
    """Text to speech, clause by clause."""

    languages: frozenset[str]
    clause_sizes: ClauseSizes

    @property
    def most_streams(self) -> int:
        """How many clauses it speaks at once, each called for by a thread of its own; known after `warm`."""

    def warm(self) -> None:
        """Run once per language."""

    def synthesize(self, text: str, language: str, speed: float = 1.0) -> Iterator[Speech]:
        """Speak one clause, in one or more pieces, each as soon as it is ready; nothing where there is nothing to say.

        `speed` 1.0 is the engine's idea of an ordinary speaker. Raises EngineError.
        """


@dataclass(frozen=True, slots=True, eq=False)
class ClonedVoice:
    """Somebody's own voice, as XTTS v2 takes it: what it computed from recordings of this speaker."""

    speaker_id: str
    conditioning: Samples  # (latents, width): 32 × 1024 in the published model
    speaker_embedding: Samples  # (512,)


@runtime_checkable
class CloningSynthesizer(Synthesizer, Protocol):
    """A synthesizer that can speak in somebody's own voice."""

    def synthesize_as(self, voice: ClonedVoice, text: str, language: str, speed: float = 1.0) -> Iterator[Speech]:
        """As `synthesize`, in `voice`. Raises EngineError."""


@runtime_checkable
class VoiceConditioner(Protocol):
    """Computes from speech what cloning takes; an engine that clones should be one, too."""

    conditioning_model: str  # whose conditioning it is: `synthesis_model` of a voice on file

    def condition(self, speaker_id: str, samples: Samples, rate_hz: int) -> ClonedVoice:
        """The voice of `samples`, mono, 3 s and more of one speaker. Raises EngineError.

        Called from a thread of its own, also while the engine speaks.
        """


def conditioning_model(engine: object, name: str) -> str:
    """What a voice on file has to be made for, to be spoken with by the engine called `name`."""
    return engine.conditioning_model if isinstance(engine, VoiceConditioner) else name


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


@dataclass(frozen=True, slots=True)
class StreamContext:
    """Whose speech a recognition stream carries; everything heard in it bears this."""

    session_id: str  # the room
    speaker_id: str  # the leg


@dataclass(frozen=True, slots=True)
class Transcript:
    """All that has been recognised of one utterance so far.

    A newer `revision` of the same (`context`, `seq_num`) replaces an older one; after `final` there is none.
    `committed` only grows, and its words are never taken back, but for marks and capitals; those in `tentative`, which
    follow it, may still change.
    `seq_num` is the uplink sequence number of the frame that the utterance began in.
    """

    context: StreamContext
    seq_num: int
    revision: int
    final: bool
    language: str
    committed: tuple[Word, ...]
    tentative: tuple[Word, ...] = ()
    decode_ms: float = 0.0  # what this revision took the engine, where that is known
    decided: bool | None = None  # whether `language` is, where it has to be found out; None: the engine cannot say
    foreign: str = ""  # what it really seems to be, where the engine had to choose among others


class RecognitionStream(Protocol):
    """The speech of one leg on its way into text. Nothing here blocks."""

    context: StreamContext

    @property
    def dropped_frames(self) -> int:
        """Frames that are not recognised, because the engine could not keep up."""

    @property
    def needed_from(self) -> int:
        """Where a restart has to replay from: the uplink sequence number of the oldest frame whose words are not final.

        0 before the first frame.
        """

    def feed(self, pcm: bytes, capture_ns: int, seq_num: int) -> None:
        """Take one frame: 640 bytes, captured at `capture_ns`, with its uplink sequence number. Gaps are allowed."""

    def end_utterance(self) -> None:
        """Say that the utterance is over: what has been fed becomes final soon. An engine may find that out itself."""

    def take(self) -> list[Transcript]:
        """What was recognised since the last call, oldest first.

        Raises EngineRefused for good, and EngineUnavailable for as long as the engine cannot be reached.
        """

    def close(self) -> None:
        """End the stream; what is not final is given up. Idempotent."""


class StreamingRecognizer(Protocol):
    """Speech to text while it is spoken, for many legs at once."""

    languages: frozenset[str]

    def warm(self) -> None:
        """Run once, so that the first caller does not wait for lazy initialisation."""

    def open(self, context: StreamContext, language: str) -> RecognitionStream:
        """Begin a stream of one leg that speaks `language`. Raises EngineError."""

    def advance(self) -> None:
        """Decode what was fed, of all streams in one batch; an engine that runs elsewhere has nothing to do here.

        What comes of it, failures too, is told by each stream's `take`. Raises EngineHangs when somebody who has been
        told so stays all the same.
        """

    def close(self) -> None:
        """End all streams."""


Formality = Literal["", "more", "less"]
Option = Literal["context", "formality", "target_prefix", "glossary_id"]


@dataclass(frozen=True, slots=True)
class TranslationRequest:
    """A segment to be translated, and what helps with it. What an engine does not take (see `options`) it ignores."""

    text: str
    stream_id: str
    seq_num: int
    partial: bool
    source_lang: str
    target_lang: str
    context: str = ""  # what was said before, in the source language; it is not translated
    formality: Formality = ""
    target_prefix: str = ""  # the translation has to begin with these whole words
    glossary_id: str = ""


@runtime_checkable
class RequestTranslator(Translator, Protocol):
    """A translator that takes more than text."""

    options: frozenset[Option]

    def translate_request(self, request: TranslationRequest) -> str:
        """Translate one segment. Raises EngineRefused, EngineUnavailable or another EngineError."""


def translate(translator: Translator, request: TranslationRequest) -> str:
    """Translate with as much of `request` as `translator` takes. Raises EngineError."""
    if isinstance(translator, RequestTranslator):
        return translator.translate_request(request)
    return translator.translate(request.text, request.source_lang, request.target_lang)
