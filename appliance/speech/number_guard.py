"""The digits-and-names guard: what a translation has done to facts and glossary terms is found, repaired or retried."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher

from appliance.speech.facts import Fact, decimal_of, find_facts
from appliance.speech.glossary import Glossary, Protected
from appliance.speech.number_words import number_words

# Four digits: small models copy them, and treat them as the number that they stand for.
PLACEHOLDERS = tuple(str(number) for number in range(7301, 7400))
ALIKE = 0.6  # how similar what is left of an e-mail address has to be to it


@dataclass(frozen=True, slots=True)
class Checked:
    """A translation after the guard: `repaired` facts were put right, those in `lost` are not in it."""

    text: str
    repaired: int = 0
    lost: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Guarded:
    """A translation that says what was said, as far as numbers and terms go; `lost` is what it does not say."""

    text: str
    repaired: int = 0
    retried: bool = False
    lost: tuple[str, ...] = ()


def translate_guarded(
    text: str,
    source: str,
    target: str,
    translate: Callable[[str], str],
    glossary: Glossary = Glossary(),  # noqa: B008
) -> Guarded:
    """Translate `text` from language `source` to `target` with `translate`, at most twice.

    The second time, with every fact behind a placeholder, because the first time some did not survive.
    """
    terms = glossary.protect(text, source, target)
    first = _attempt(text, terms, Protected(terms.text), source, target, translate)
    if not first.lost:
        return first
    second = _attempt(text, terms, protect_facts(terms.text, source, target), source, target, translate)
    best = min(first, second, key=lambda guarded: len(guarded.lost))
    return Guarded(best.text, best.repaired, True, best.lost)


def check(source_text: str, translation: str, source: str, target: str) -> Checked:
    """Whether the facts of `source_text` are in its translation; those that were changed are put right.

    Changed are those that are missing, if there are as many others of their kind instead, and an e-mail address, if
    something alike is there. All others need another translation.
    """
    wanted, found = find_facts(source_text, source), find_facts(translation, target)
    missing = _unmatched(wanted, found)
    instead = _unmatched(found, wanted)
    emails = [fact for fact in missing if fact.kind == "email"]
    others = [fact for fact in missing if fact.kind != "email"]
    changes: list[tuple[int, int, str]] = []
    lost: list[Fact] = []
    for fact in emails:
        span = _remains(fact.text, translation)
        if span:
            changes.append((*span, fact.text))
        else:
            lost.append(fact)
    instead = [fact for fact in instead if all(fact.end <= start or end <= fact.start for start, end, _ in changes)]
    pairs = list(zip(others, instead, strict=False))
    if len(others) == len(instead) and all(_stands_for(wrong, right) for right, wrong in pairs):
        changes += [(wrong.start, wrong.end, render(right, source, target)) for right, wrong in pairs]
    else:
        lost += others
    return Checked(_replaced(translation, changes), len(changes), tuple(lost))


def protect_facts(text: str, source: str, target: str) -> Protected:
    """Replace each fact by a number that `text` does not have, to be put back as it is written in `target`."""
    free = (name for name in PLACEHOLDERS if name not in text)
    named = list(zip(find_facts(text, source), free, strict=False))
    changes = [(fact.start, fact.end, name) for fact, name in named]
    return Protected(_replaced(text, changes), tuple((name, render(fact, source, target)) for fact, name in named))


def render(fact: Fact, source: str, target: str) -> str:
    """A fact of a text in language `source`, as it is written in `target` so that a voice reads it well."""
    table = number_words(target)
    if fact.kind == "digits" and table:
        (digits,) = fact.readings
        return " ".join(table.digits[int(digit)] for digit in digits)
    if fact.kind == "time":
        return _rendered_time(fact, target)
    if fact.kind == "date" and source.startswith("en") != target.startswith("en"):
        first, second, *year = fact.text.split("/")
        return "/".join((second, first, *year))
    if fact.kind == "number":
        return _rendered_number(fact, source, target)
    return fact.text


def _attempt(
    text: str, terms: Protected, facts: Protected, source: str, target: str, translate: Callable[[str], str]
) -> Guarded:
    translation, _ = facts.restore(translate(facts.text))
    translation, lost_terms = terms.restore(translation)
    checked = check(text, translation, source, target)
    return Guarded(checked.text, checked.repaired, False, (*lost_terms, *(fact.text for fact in checked.lost)))


def _unmatched(facts: list[Fact], others: list[Fact]) -> list[Fact]:
    """Those `facts` that no other fact agrees with; each other fact is taken once."""
    free = list(others)
    missing = []
    for fact in facts:
        match = next((other for other in free if fact.agrees(other)), None)
        if match is None:
            missing.append(fact)
        else:
            free.remove(match)
    return missing


def _stands_for(wrong: Fact, right: Fact) -> bool:
    """Whether `wrong` is all that a translation has made of `right`, so that it can be replaced."""
    if right.kind == "digits":  # where one has gone astray, it may still stand about as another word
        return wrong.kind == "digits" and max(map(len, wrong.readings)) == max(map(len, right.readings))
    return (wrong.kind == "time") == (right.kind == "time")


def _remains(email: str, translation: str) -> tuple[int, int] | None:
    """Where the translation has what has become of an e-mail address; None where nothing is alike."""
    best = max(
        re.finditer(r"\S*[^\s.,;:!?]", translation),
        key=lambda word: SequenceMatcher(None, email.lower(), word.group().lower(), autojunk=False).ratio(),
        default=None,
    )
    if best is None or SequenceMatcher(None, email.lower(), best.group().lower(), autojunk=False).ratio() < ALIKE:
        return None
    return best.span()


def _replaced(text: str, changes: list[tuple[int, int, str]]) -> str:
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _rendered_time(fact: Fact, target: str) -> str:
    times = sorted(tuple(map(int, reading.split(":"))) for reading in fact.readings if ":" in reading)
    hour, minute = times[0] if len(times) == 1 or times[0][0] else (12, times[0][1])
    known = len(times) == 1
    if not target.startswith("en"):
        return f"{hour} horas" if target.startswith("pt") and not minute else f"{hour}:{minute:02}"
    half = (" AM", " PM")[hour >= 12] if known else ""
    return f"{(hour - 1) % 12 + 1}:{minute:02}{half}"


def _rendered_number(fact: Fact, source: str, target: str) -> str:
    if not fact.text[:1].isdigit():
        return min(fact.readings, key=lambda reading: (":" in reading, len(reading))).replace(".", _point(target))
    if " " in fact.text:  # "3.5 million"
        return next(iter(fact.readings)).replace(".", _point(target))
    if source.startswith("en") == target.startswith("en"):
        return fact.text
    swapped = fact.text.translate(str.maketrans(".,", ",."))
    return swapped if decimal_of(swapped, target) == decimal_of(fact.text, source) else fact.text


def _point(language: str) -> str:
    return "." if language.startswith("en") else ","
