"""Where a growing text ends in something that may go on: numbers and terms are translated when they are whole."""

import re
from collections.abc import Sequence

from appliance.speech.facts import find_facts
from appliance.speech.glossary import Glossary
from appliance.speech.stable_prefix import plain

# "At three" becomes another time with "in the afternoon", "five hundred" another number with "and two".
WORDS_AFTER_FACT = 2


def closed_part(text: str, source: str, target: str, glossary: Glossary = Glossary()) -> str:  # noqa: B008
    """The beginning of a growing `text` in language `source` that no word to come makes mean something else.

    What is left out: facts with fewer than two words after them, and the beginning of a term of the glossary.
    """
    return text[: _before_facts(text, _before_terms(text, source, target, glossary), source)].rstrip()


def _before_facts(text: str, end: int, language: str) -> int:
    for fact in reversed(find_facts(text[:end], language)):
        if len(text[fact.end : end].split()) >= WORDS_AFTER_FACT:
            break
        end = fact.start
    return end


def _before_terms(text: str, source: str, target: str, glossary: Glossary) -> int:
    words = list(re.finditer(r"\S+", text))
    said = [plain(word.group()) for word in words]
    terms = [[plain(word) for word in term.source.split()] for term in glossary.terms if term.serves(source, target)]
    begun = max((_begun(said, term) for term in terms), default=0)
    return words[-begun].start() if begun else len(text)


def _begun(said: Sequence[str], term: Sequence[str]) -> int:
    """How many words at the end of `said` are the beginning of `term`, but not all of it."""
    most = min(len(said), len(term) - 1)
    return next((count for count in range(most, 0, -1) if said[-count:] == term[:count]), 0)
