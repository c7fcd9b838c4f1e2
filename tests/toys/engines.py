"""Engines of every stage, each with its own way to fail, and a spare one that works.

Each of the failing ones serves one language, so that all of them can be tried side by side.
"""

import resource
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from appliance.config import Config
from appliance.engines.languages import all_pairs
from appliance.engines.protocols import (
    ClauseSizes,
    Hypothesis,
    Samples,
    Speech,
    StreamContext,
    Transcript,
    Window,
    Word,
)

LANGUAGES = {"hangs": "pt-br", "raises": "es", "babbles": "fr", "devours": "de"}
SPARE = "spare"
ENGINES = (*LANGUAGES, SPARE)
ROOM_BYTES = 300 << 20  # that a devouring engine is left with, as in a container
MOUTHFUL_BYTES = 16 << 20
RATE_HZ = 16_000
PAUSE_FRAMES = 20


def plug_in(table: dict[str, str], kind: str) -> None:
    """Let the registry find them, as if they had been delivered with it."""
    table |= {name: f"toys.engines:{kind}_{name}" for name in ENGINES}


def fail(name: str) -> None:
    """What the engines do in place of their work, but for those that answer."""
    match name:
        case "hangs":
            time.sleep(3_600)
        case "raises":
            raise ValueError("tensor of unexpected shape")
        case "devours":
            devour()


def devour() -> NoReturn:
    """Take memory until there is no more, as the kernel lets a container have it."""
    used_bytes = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used_bytes + ROOM_BYTES, resource.RLIM_INFINITY))
    eaten = []
    try:
        while True:
            eaten.append(bytearray(MOUTHFUL_BYTES))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


class Translator:
    """What it says names it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.pairs = all_pairs(("en", *([LANGUAGES[name]] if name in LANGUAGES else LANGUAGES.values())))

    def warm(self) -> None: ...

    def translate(self, text: str, _source: str, _target: str) -> Any:
        fail(self._name)
        return ["no", "text", None] if self._name == "babbles" else f"{text} by {self._name}"


class Recognizer:
    """It hears its own name."""

    most_windows = 4
    working = SPARE

    def __init__(self, name: str) -> None:
        self._name = name
        self.languages = frozenset([LANGUAGES[name]] if name in LANGUAGES else LANGUAGES.values())

    def warm(self) -> None: ...

    def decode(self, windows: Sequence[Window]) -> Any:
        if self._name != self.working:
            fail(self._name)
        if self._name == "babbles":
            return [Hypothesis((Word("\ud800", -5, float("nan"), float("nan")),), float("nan"), float("nan"))]  # type: ignore[arg-type]
        return [Hypothesis((Word(f"by {self._name}", 0, 1_000_000_000),), 0.0, -0.1) for _ in windows]

    def language_probabilities(self, _samples: Samples) -> dict[str, float]:
        return dict.fromkeys(self.languages, 1.0)


class StreamingRecognizer:
    """One for every leg that hears its own name in each stretch of sound that a pause has ended."""

    languages = frozenset({"en"})

    def warm(self) -> None: ...

    def open(self, context: StreamContext, language: str) -> "Stream":
        return Stream(context, language)

    def advance(self) -> None: ...

    def close(self) -> None: ...


class Stream:
    """One leg of it."""

    dropped_frames = 0

    def __init__(self, context: StreamContext, language: str) -> None:
        self.context = context
        self.needed_from = 0
        self._language = language
        self._loud: list[tuple[int, int]] = []  # sequence number and capture time of each frame of the stretch
        self._silent = 0
        self._heard: list[Transcript] = []

    def feed(self, pcm: bytes, capture_ns: int, seq_num: int) -> None:
        self._silent = 0 if any(pcm) else self._silent + 1
        if any(pcm):
            self._loud.append((seq_num, capture_ns))
        elif self._loud and self._silent >= PAUSE_FRAMES:
            (first, start_ns), (_, end_ns) = self._loud[0], self._loud[-1]
            word = Word(f"by {SPARE}", start_ns, end_ns)
            self._heard.append(Transcript(self.context, first, 0, True, self._language, (word,)))
            self._loud.clear()
        self.needed_from = self._loud[0][0] if self._loud else seq_num + 1

    def end_utterance(self) -> None: ...

    def take(self) -> list[Transcript]:
        heard, self._heard = self._heard, []
        return heard

    def close(self) -> None: ...


class Synthesizer:
    """A tone for each text, and it is the louder for the spare one."""

    clause_sizes = ClauseSizes(first_chars=40, longest_chars=80)
    most_streams = 1

    def __init__(self, name: str) -> None:
        self._name = name
        self.languages = frozenset([LANGUAGES[name]] if name in LANGUAGES else LANGUAGES.values())

    def warm(self) -> None: ...

    def synthesize(self, _text: str, _language: str, _speed: float = 1.0) -> Iterator[Speech]:
        fail(self._name)
        if self._name == "babbles":
            yield Speech(np.full((3, 7), np.nan), 0)
        yield Speech(np.full(RATE_HZ // 2, 0.5, np.float32), RATE_HZ)


def __getattr__(name: str) -> Any:
    """`translator_hangs` and so on: what the registry calls with the configuration."""
    kind, _, engine = name.partition("_")
    if name == "streaming_spare":
        return lambda _: StreamingRecognizer()
    kinds = {"translator": Translator, "recognizer": Recognizer, "synthesizer": Synthesizer}
    if kind not in kinds or engine not in ENGINES:
        raise AttributeError(name)

    def made(_: Config) -> Any:
        return kinds[kind](engine)

    return made
