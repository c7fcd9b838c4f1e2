"""Comparing texts word by word: word error rate, and how much of one text is found in another."""

import re
import unicodedata
from collections import Counter


def words(text: str) -> list[str]:
    """The words of `text`, lower-case, without punctuation; "two-party" is two words, "don't" is one."""
    plain = unicodedata.normalize("NFC", text.lower()).replace("’", "'")
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", plain)


def word_error_rate(reference: str, heard: str) -> float:
    """Insertions, deletions and substitutions per word of the reference (Levenshtein distance over words).

    0 where both are empty; 1 for each word heard where the reference is empty.
    """
    expected, got = words(reference), words(heard)
    distances = list(range(len(got) + 1))
    for row, wanted in enumerate(expected, 1):
        diagonal, distances[0] = distances[0], row
        for column, word in enumerate(got, 1):
            substitution = diagonal + (wanted != word)
            diagonal = distances[column]
            distances[column] = min(diagonal + 1, distances[column - 1] + 1, substitution)
    return distances[-1] / max(1, len(expected))


def shared_words(text: str, heard: str) -> float:
    """Which part of the words of `text` is found in `heard`, each as often as it occurs; 1 where `text` has none."""
    wanted, found = Counter(words(text)), Counter(words(heard))
    return (wanted & found).total() / wanted.total() if wanted else 1.0
