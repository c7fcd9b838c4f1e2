"""What keeps a voice from babbling: XTTS v2 goes on after very short texts, and at times after any. Pure."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import category

import numpy as np

from appliance.engines.protocols import Samples
from appliance.speech.clauses import clause_words

TOKENS_PER_S = 22_050 / 1024
# Slow speakers, in characters a second; where a character is a syllable or a word, fewer.
SLOWEST_CHARS_PER_S, SLOWEST_SIGNS_PER_S = 6.0, 2.0
SIGNS = frozenset({"ja", "ko", "zh"})
FIGURE_CHARS = 10  # what is read as a word, or as part of one: a digit, "€", "%"
BEFORE_AND_AFTER_S = 1.5  # silence that the model may put around a text
# What coqui-tts allows in one text, in characters, by language; longer ones it cuts off.
MOST_CHARS = {"ar": 166, "cs": 186, "de": 253, "en": 250, "es": 239, "fr": 273, "hi": 150, "hu": 224, "it": 213}
MOST_CHARS |= {"ja": 71, "ko": 95, "nl": 251, "pl": 224, "pt": 203, "ru": 182, "tr": 226, "zh": 82}
FADE_MS = 5
PAUSE_MS = 250  # longer than a speaker makes within a clause
SILENT_SHARE = 0.05  # of the loudest so far, as root mean square
LOOKS_EVERY_MS = 10

_MARK = re.compile(r"[.!?…,;:。！？、，；：।؟][\"')»”]*$")


def has_words(text: str) -> bool:
    """Whether there is anything to say: a letter or a digit."""
    return any(character.isalnum() for character in text)


def closed(text: str) -> str:
    """`text` with a mark at its end, without which the model does not know that it is over."""
    text = " ".join(text.split())
    return text if _MARK.search(text) else f"{text}."


def parts(text: str, language: str) -> list[str]:
    """`text` in pieces that the model can take, cut where a speaker would breathe; `language` as the model calls it."""
    limit = MOST_CHARS[language.partition("-")[0]] - 1  # a mark may be added
    words = [piece for word in text.split() for piece in _pieces(word, limit)]
    found = []
    while words:
        count = clause_words(words, language, limit)
        found.append(closed(" ".join(words[:count])))
        words = words[count:]
    return [part for part in found if has_words(part)]


def most_tokens(text: str, language: str) -> int:
    """After so many tokens a slow speaker has long said `text`, and what goes on is no speech of it."""
    return math.ceil(TOKENS_PER_S * (BEFORE_AND_AFTER_S + _slowest_s(text, language)))


def _slowest_s(text: str, language: str) -> float:
    chars = sum(FIGURE_CHARS if _is_figure(character) else 1 for character in text)
    return chars / (SLOWEST_SIGNS_PER_S if language.partition("-")[0] in SIGNS else SLOWEST_CHARS_PER_S)


def _is_figure(character: str) -> bool:
    return character.isdigit() or character in "%&@" or category(character).startswith("S")


def _pieces(word: str, limit: int) -> Sequence[str]:
    """A text without spaces is one word to us; it is cut after its marks, else anywhere."""
    if len(word) <= limit:
        return [word]
    phrases = re.findall(r"[^。！？、，；：]+[。！？、，；：]*|[。！？、，；：]+", word)
    return [phrase[first : first + limit] for phrase in phrases for first in range(0, len(phrase), limit)]


@dataclass(slots=True)
class EndGuard:
    """Listens to one part as it is spoken, and says when the rest is not of its text.

    After the time that a slow speaker takes, the first pause is the end: babble begins after one.
    """

    rate_hz: int
    from_sample: int  # pauses before it belong to the text
    heard: int = 0
    loudest: float = 0.0
    silent: int = 0  # samples, up to now

    def keep(self, samples: Samples) -> tuple[Samples, bool]:
        """How much of the next `samples` is of the text, and whether that was the end."""
        step = self.rate_hz * LOOKS_EVERY_MS // 1000
        for first in range(0, len(samples), step):
            level = float(np.sqrt(np.mean(np.square(samples[first : first + step]))))
            self.loudest = max(self.loudest, level)
            count = min(step, len(samples) - first)
            self.heard += count
            self.silent = self.silent + count if level < SILENT_SHARE * self.loudest else 0
            if self.heard >= self.from_sample and self.silent >= self.rate_hz * PAUSE_MS // 1000:
                return samples[: first + count], True
        return samples, False


def end_guard(text: str, language: str, rate_hz: int, speed: float = 1.0) -> EndGuard:
    """The guard of one part, spoken at `speed`."""
    return EndGuard(rate_hz, round(rate_hz * _slowest_s(text, language) / min(speed, 1.0)))


class Joint:
    """Makes a beginning and an end of a part silent within 5 ms, so that parts follow each other without a click."""

    def __init__(self, rate_hz: int) -> None:
        self._fade = rate_hz * FADE_MS // 1000
        self._begun = 0
        self._kept: Samples = np.zeros(0, np.float32)

    def feed(self, samples: Samples, is_last: bool) -> Samples:
        """The next samples of a part; as many as a fade takes are kept back until it is known whether more follow."""
        samples = np.concatenate((self._kept, samples))
        keep = 0 if is_last else min(self._fade, len(samples))
        told, self._kept = samples[: len(samples) - keep].copy(), samples[len(samples) - keep :]
        rising = min(self._fade - self._begun, len(told))
        if rising > 0:
            told[:rising] *= np.arange(self._begun, self._begun + rising, dtype=np.float32) / self._fade
            self._begun += rising
        if is_last:
            falling = min(self._fade, len(told))
            told[len(told) - falling :] *= np.arange(falling, 0, -1, dtype=np.float32) / self._fade
            self._begun = 0
        return told
