"""Cutting a sentence into clauses, so that the first can be heard while the next is still being made."""

import re
from collections.abc import Sequence

SENTENCE_PAUSE_MS = 260
COMMA_PAUSE_MS = 120
BREATH_MS = 0  # between two clauses of one sense group: what is left of the silence around a voice's clause will do

# Words that open a new sense group: a cut before one sounds like a speaker taking a breath.
_OPENERS = {
    "en": "about after and at because before but by for from if in of on or to until when where which while who with",
    "pt": "até com da de do dos e em enquanto mas na nas no nos onde ou para pela pelo por porque quando que se sobre",
}
OPENERS = {language: frozenset(words.split()) for language, words in _OPENERS.items()}
_SENTENCE_END = re.compile(r"[.!?…][\"')»”]*$")
_PHRASE_END = re.compile(r"[.!?…,;:][\"')»”]*$")


def clause_words(words: Sequence[str], language: str, limit: int, merge: bool = False) -> int:
    """How many of the first `words` are the next clause, of at most `limit` characters; at least one, however long.

    They are cut at their punctuation, else before a word that opens a sense group, else between words. With `merge`,
    small phrases are joined: each clause costs an engine some time of its own.
    """
    openers = _openers(language)
    fitting = _fitting(words, limit)
    if fitting == len(words):
        return fitting
    at_marks, at_openers = _phrase_ends(words[:fitting]), _before_openers(words[: fitting + 1], openers)
    choices = [(at_marks, limit / 4), (at_openers, limit / 2)]
    if merge:
        choices = [(at_marks, limit / 2), *choices[::-1]]
    for places, least in choices:
        if good := [place for place in places if _chars(words[:place]) >= least]:
            return good[-1]
    while fitting > 1 and len(words[fitting - 1]) <= 2:  # an article belongs to the word after it
        fitting -= 1
    return fitting


def leans_on_next(word: str, language: str) -> bool:
    """Whether a voice should not stop after `word`: an article or a preposition belongs to what follows."""
    return len(word) <= 2 or word.lower() in _openers(language)


def ends_phrase(word: str) -> bool:
    """Whether `word` ends with a mark that a speaker breathes at."""
    return _PHRASE_END.search(word) is not None


def pause_after_ms(word: str) -> int:
    """How long a speaker pauses after `word`."""
    if _SENTENCE_END.search(word):
        return SENTENCE_PAUSE_MS
    return COMMA_PAUSE_MS if ends_phrase(word) else BREATH_MS


def _openers(language: str) -> frozenset[str]:
    return OPENERS.get(language.partition("-")[0], frozenset())


def _fitting(words: Sequence[str], limit: int) -> int:
    """How many of the first words fit into `limit` characters; at least one."""
    count = 1
    while count < len(words) and _chars(words[: count + 1]) <= limit:
        count += 1
    return count


def _phrase_ends(words: Sequence[str]) -> list[int]:
    return [place for place, word in enumerate(words, 1) if _PHRASE_END.search(word)]


def _before_openers(words: Sequence[str], openers: frozenset[str]) -> list[int]:
    return [place for place, word in enumerate(words) if place > 0 and word.lower() in openers]


def _chars(words: Sequence[str]) -> int:
    return sum(map(len, words)) + len(words) - 1
