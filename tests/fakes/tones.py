"""Speech for a fake recognizer of ours: a word is 300 ms of one loudness, and is called by it, in percent."""

import threading
from collections.abc import Sequence

import numpy as np

from appliance.engines.protocols import EngineError, Hypothesis, Recognition, Samples, Window, Word
from appliance.units import NS_PER_MS, SAMPLE_RATE_HZ

WORD_MS = 300
GAP_MS = 60
CHUNK_MS = 10
CHUNK_SAMPLES = SAMPLE_RATE_HZ * CHUNK_MS // 1000
NOISE = "13"  # there is no word in it
UNHEARABLE = "66"  # the recognizer fails


class LoudnessDetector:
    """Speech is what is loud."""

    window_samples = 512
    state_size = 1

    def warm(self) -> None: ...

    def detect(self, windows: Samples, state: Samples) -> tuple[Samples, Samples]:
        return (np.abs(windows).max(axis=1) > 0.1).astype(np.float32), state


class ToneRecognizer:
    """Hears words as they are spoken; of the one that is being spoken, only that it has begun.

    `batches` are the texts of all windows it was given, batch by batch.
    """

    languages = frozenset({"en", "pt"})
    most_windows = 4

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.prompts: list[str] = []
        self.killed_by: dict[str, BaseException] = {}
        self.free = threading.Event()
        self.free.set()

    @property
    def heard(self) -> list[str]:
        """The texts of all windows."""
        return [text for batch in self.batches for text in batch]

    def warm(self) -> None: ...

    def recognize(self, samples: Samples, language: str) -> Recognition:
        raise NotImplementedError

    def decode(self, windows: Sequence[Window]) -> list[Hypothesis]:
        hypotheses = [Hypothesis(tuple(words_in(window.samples)), 0.0, 0.0) for window in windows]
        self.batches.append([" ".join(word.text for word in hypothesis.words) for hypothesis in hypotheses])
        self.prompts += [window.prompt for window in windows]
        assert self.free.wait(60)
        for text in self.batches[-1]:
            for word in set(text.split()) & self.killed_by.keys():
                raise self.killed_by.pop(word)
            if UNHEARABLE in text:
                raise EngineError(f"the recognizer cannot hear {UNHEARABLE}")
        return hypotheses

    def language_probabilities(self, samples: Samples) -> dict[str, float]:
        """Portuguese is loud."""
        loud = float(np.abs(samples).max()) > 0.5
        return {"pt": 0.9, "en": 0.1} if loud else {"pt": 0.1, "en": 0.9}


def words_in(samples: Samples) -> list[Word]:
    """A word that is cut off ends in a dash; of less than 50 ms nothing is heard."""
    percents = [round(100 * abs(float(loudness))) for loudness in samples[::CHUNK_SAMPLES]]
    words = []
    begun = 0
    for here in range(1, len(percents) + 1):
        if here < len(percents) and percents[here] == percents[begun]:
            continue
        name, length_ms = str(percents[begun]), (here - begun) * CHUNK_MS
        if name not in ("0", NOISE) and length_ms >= 50:
            text = name if length_ms >= WORD_MS - 2 * CHUNK_MS else f"{name}-"
            words.append(Word(text, begun * CHUNK_MS * NS_PER_MS, here * CHUNK_MS * NS_PER_MS))
        begun = here
    return words
