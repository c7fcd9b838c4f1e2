"""What a recognizer makes up: phrases said again and again, more words than fit, text where nobody speaks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from appliance.engines.protocols import Word
from appliance.speech.stable_prefix import plain
from appliance.units import NS_PER_S

LONGEST_PHRASE_WORDS = 30  # about what a window of sound holds
# Whisper tiny reads a window of five seconds twice now and then, and the second time not to its end.
LONG_PHRASE_WORDS = 8
BEGUN_AGAIN_WORDS = 5
FASTEST_WORDS_PER_S = 6.0  # auctioneers reach five
# What OpenAI's own decoder uses: silence is probable, and the text is a guess.
SILENCE_PROBABILITY = 0.6
GUESS_LOG_PROBABILITY = -1.0
LEAST_VOICED = 0.15  # less of the window is voiced: breath, a click, somebody else far away
MUCH_VOICED = 0.5

# Whisper has learnt subtitles, and what stands in them while nobody speaks.
PHANTOMS = frozenset(
    {
        "you",
        "thank you",
        "thanks for watching",
        "thank you for watching",
        "please subscribe",
        "bye",
        "obrigado",
        "obrigada",
        "tchau",
        "e aí",
        "legendas pela comunidade amara org",
        "legenda adriana zanotto",
    }
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a hypothesis being speech. `no_speech` and `log_probability` are the recognizer's own."""

    voiced_ratio: float  # part of the window that the voice detector takes for speech
    no_speech: float = 0.0
    log_probability: float = 0.0  # mean over its tokens


def believed(words: Sequence[Word], evidence: Evidence) -> list[Word]:
    """The words that somebody has said, as far as can be told: loops said once, and nothing where nobody spoke."""
    once = without_loops(words)
    if is_silence([word.text for word in once], evidence) or _too_fast(once):
        return []
    return once


def is_silence(words: Sequence[str], evidence: Evidence) -> bool:
    """Whether there was no speech, whatever the recognizer has written."""
    if evidence.no_speech > SILENCE_PROBABILITY and evidence.log_probability < GUESS_LOG_PROBABILITY:
        return True
    if evidence.voiced_ratio < LEAST_VOICED:
        return True
    phantom = " ".join(filter(None, map(plain, words))).replace(".", " ") in PHANTOMS
    return phantom and (evidence.voiced_ratio < MUCH_VOICED or evidence.no_speech > SILENCE_PROBABILITY)


def without_loops(words: Sequence[Word]) -> list[Word]:
    """The words up to where a phrase begins to go round; what comes after the loop, if anything does, is kept."""
    texts = [plain(word.text) for word in words]
    kept: list[Word] = []
    here = 0
    while here < len(words):
        size, end = _loop(texts, here)
        kept += _timed(words[here : here + size], words[here + size : end]) if size else words[here : here + 1]
        here = end if size else here + 1
    return kept


def _timed(phrase: Sequence[Word], again: Sequence[Word]) -> list[Word]:
    """A phrase that was written twice, with the times of whichever was heard: the other ones have no length."""
    pairs = zip_longest(phrase, again[: len(phrase)])
    heard = [max(first, second or first, key=lambda word: word.end_ns - word.start_ns) for first, second in pairs]
    return [replace(word, start_ns=time.start_ns, end_ns=time.end_ns) for word, time in zip(phrase, heard, strict=True)]


def _loop(texts: Sequence[str], here: int) -> tuple[int, int]:
    """The size of the phrase that loops from `here` on, and where its loop ends; (0, here) where none does."""
    for size in range(1, min(LONGEST_PHRASE_WORDS, len(texts) - here - 1) + 1):
        end = here + size
        while end < len(texts) and texts[end] == texts[end - size]:
            end += 1
        if (end - here) // size > _allowed(size):
            whole = end - (end - here) % size
            return size, end if end == len(texts) else whole  # a loop that was cut off ends within its phrase
        if size >= LONG_PHRASE_WORDS and end == len(texts) and end - here - size >= BEGUN_AGAIN_WORDS:
            return size, end
    return 0, here


def _allowed(size: int) -> int:
    """How often in a row people say a phrase of `size` words: "no, no, no, no"; "five five"; but no clause twice."""
    return {1: 6, 2: 3}.get(size, 1)


def _too_fast(words: Sequence[Word]) -> bool:
    """Whether nobody could have said that many words in that time; two more are always allowed."""
    if not words:
        return False
    spoken_s = (words[-1].end_ns - words[0].start_ns) / NS_PER_S
    return len(words) > 2 + FASTEST_WORDS_PER_S * spoken_s
