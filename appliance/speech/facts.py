"""What a translation must not change: numbers, times, dates, amounts, telephone numbers and e-mail addresses in a text.

Understands digits, and the number words of English and Brazilian Portuguese.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import Literal

from appliance.speech.number_words import Spoken, number_words, spoken_number

Kind = Literal["email", "time", "date", "code", "digits", "number"]

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_DATE = re.compile(r"(?<![\w/])(\d{1,2})/(\d{1,2})(?:/(\d{4}|\d{2}))?(?![\w/])")
_CLOCK = re.compile(
    r"(?<![\w.,:])(?:(?P<h>\d{1,2})(?::|h)(?P<m>[0-5]\d)(?![\d:])|(?P<hour>\d{1,2})(?=\s?h\b|\s?[ap]\.?\s?m\b))(?:\s?h\b)?"
    r"(?:\s?(?P<half>[ap])\.?\s?m\b\.?)?",
    re.IGNORECASE,
)
_CODE = re.compile(r"(?<![\w.,])(?:\+\d+|\(\d+\)|\d+)(?:[ .-]?\(\d+\)|[ .-]\d+)+(?!\w)")
_NUMBER = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)*(?!\w)")
_WORD = re.compile(r"[^\W\d_]+")
_CURRENCY_BEFORE = re.compile(r"(R\$|US\$|\$|€|£)\s?$")
_CURRENCY_AFTER = re.compile(r"\s?(reais|real|dollars?|d[óo]lar(?:es)?|euros?|pounds?|libras?)\b", re.IGNORECASE)
_CURRENCIES = {
    "r": "BRL",
    "u": "USD",
    "$": "USD",
    "d": "USD",
    "€": "EUR",
    "e": "EUR",
    "£": "GBP",
    "p": "GBP",
    "l": "GBP",
}
_MORNING = re.compile(r"\s*(?:horas\s+)?(?:in the morning|da manhã|da madrugada)", re.IGNORECASE)
_EVENING = re.compile(r"\s*(?:horas\s+)?(?:in the (?:afternoon|evening)|at night|da tarde|da noite)", re.IGNORECASE)
_AT_PT = re.compile(r"\b(?:às|as|são|das|até as|até às|para as)\s$", re.IGNORECASE)
_HOURS = re.compile(r"\s(?:o['’]clock|horas?(?=\s+(?:da|em ponto)))", re.IGNORECASE)
_PAST = re.compile(r"\b(half|(?:a )?quarter) (past|to) $", re.IGNORECASE)
_AND_HALF = re.compile(r"\s(?:and a half|e mei[ao])\b", re.IGNORECASE)
_ORDINAL = re.compile(r"-[^\W\d_]")  # "twenty-third"
_AND_MINUTES = re.compile(r"\se\s(?:(meia)\b|)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact, at `start` … `end` of its text. Two facts are the same where their `readings` share one.

    `digits`: a number said digit by digit. `currency`: an ISO code, "" where none is named.
    """

    kind: Kind
    start: int
    end: int
    text: str
    readings: frozenset[str]
    currency: str = ""

    def agrees(self, other: "Fact") -> bool:
        """Whether the two say the same."""
        if self.currency and other.currency and self.currency != other.currency:
            return False
        shared = self.readings & other.readings
        return any(":" in reading for reading in shared) if self.kind == other.kind == "time" else bool(shared)


def find_facts(text: str, language: str) -> list[Fact]:
    """The facts of `text`, in order; they do not overlap. A lone "one" is none, nor are ordinal numbers."""
    facts: list[Fact] = []
    for finder in (_emails, _clock_times, _dates, _codes, _numbers, _spoken):
        for fact in finder(text, language):
            if all(fact.end <= other.start or other.end <= fact.start for other in facts):
                facts.append(_with_currency(fact, text))
    return sorted(facts, key=lambda fact: fact.start)


def decimal_of(digits: str, language: str) -> str:
    """The plain value of a number in the writing of `language`: "1.234,50" in Portuguese is "1234.5".

    What is not a well-formed number there, is read as the other writing, else as its digits in a row.
    """
    for point, comma in ((".", ","), (",", ".")) if language.startswith("en") else ((",", "."), (".", ",")):
        p, c = re.escape(point), re.escape(comma)
        if re.fullmatch(rf"(?:\d{{1,3}}(?:{c}\d{{3}})+|\d+)(?:{p}\d+)?", digits):
            return _plain(digits.replace(comma, "").replace(point, "."))
    return re.sub(r"\D", "", digits)


def _plain(value: str) -> str:
    """Without trailing zeros after the point; leading zeros stay, a code may begin with them."""
    return value.rstrip("0").rstrip(".") if "." in value else value


def _emails(text: str, _language: str) -> Iterator[Fact]:
    for found in _EMAIL.finditer(text):
        yield Fact("email", *found.span(), found.group(), frozenset({found.group().casefold()}))


def _clock_times(text: str, _language: str) -> Iterator[Fact]:
    for found in _CLOCK.finditer(text):
        hour, minute = int(found["h"] or found["hour"]), int(found["m"] or 0)
        if hour <= 24:
            yield _time(text, found.start(), found.end(), hour, minute, (found["half"] or "").lower())


def _time(text: str, start: int, end: int, hour: int, minute: int, half: str = "") -> Fact:
    """The time at `start` … `end` of `text`, and what is said after it ("in the morning"); `half`: "a", "p" or ""."""
    for pattern, named in ((_MORNING, "a"), (_EVENING, "p")):
        if found := pattern.match(text, end):
            end, half = found.end(), named
    if half or hour > 12 or hour == 0:
        hours = {hour % 12 + (12 if half == "p" else 0) if half else hour % 24}
    else:
        hours = {hour % 12, hour % 12 + 12}
    readings = {f"{h}:{minute:02}" for h in hours}
    names = {hour, *hours, *(h % 12 for h in hours)}  # how it is said when nobody can tell that it is a time
    readings |= {f"{h}{minute:02}" if minute else str(h) for h in names}
    return Fact("time", start, end, text[start:end], frozenset(readings))


def _dates(text: str, _language: str) -> Iterator[Fact]:
    for found in _DATE.finditer(text):
        day, month, year = found.groups()
        first, second = sorted((int(day), int(month)))  # which is which depends on the language
        yield Fact("date", *found.span(), found.group(), frozenset({f"{first}/{second}/{year or ''}"}))


def _codes(text: str, _language: str) -> Iterator[Fact]:
    """Telephone numbers, postcodes and the like: groups of digits with at least one hyphen, plus or bracket."""
    for found in _CODE.finditer(text):
        if re.search(r"[-+(]", found.group()):
            yield Fact("code", *found.span(), found.group(), frozenset({re.sub(r"\D", "", found.group())}))


def _numbers(text: str, language: str) -> Iterator[Fact]:
    table = number_words(language)
    for found in _NUMBER.finditer(text):
        value, end = decimal_of(found.group(), language), found.end()
        scale = _WORD.match(text, end + 1) if text[end : end + 1] == " " else None
        if table and scale and scale.group().lower() in table.scales:
            value = _plain(f"{Decimal(value) * table.scales[scale.group().lower()]:f}")
            end = scale.end()
        yield Fact("number", found.start(), end, text[found.start() : end], frozenset({value}))


def _spoken(text: str, language: str) -> Iterator[Fact]:
    for stretch in _stretches(text, language):
        words = [word.group().lower() for word in stretch]
        here = 0
        while here < len(words):
            spoken = spoken_number(words[here:], language)
            if spoken is None or (words[here] == "cento" and here and words[here - 1] == "por"):
                here += 1
                continue
            start, end = stretch[here].start(), stretch[here + spoken.length - 1].end()
            fact = _spoken_time(text, start, end, spoken, language) or _spoken_number(text, start, end, spoken)
            if not _ORDINAL.match(text, end):
                yield fact
            while here < len(words) and stretch[here].start() < fact.end:
                here += 1


def _stretches(text: str, language: str) -> Iterator[list[re.Match[str]]]:
    """Words with nothing but spaces or hyphens between them; digits may also have commas ("two, four, seven")."""
    table = number_words(language)
    words = list(_WORD.finditer(text))
    if table is None or not words:
        return
    digits = set(table.digits) | set(table.digit_names)
    stretch = [words[0]]
    for before, word in pairwise(words):
        between = text[before.end() : word.start()]
        commas = {before.group().lower(), word.group().lower()} <= digits and between == ", "
        if between not in (" ", "-") and not commas:
            yield stretch
            stretch = []
        stretch.append(word)
    yield stretch


def _spoken_number(text: str, start: int, end: int, spoken: Spoken) -> Fact:
    readings = {spoken.digits}
    if len(spoken.groups) == 2 and 1 <= spoken.groups[0] <= 12 and 10 <= spoken.groups[1] <= 59:
        time = _time(text, start, end, *spoken.groups)
        end, readings = time.end, readings | time.readings
    if half := _AND_HALF.match(text, end):
        end, readings = half.end(), {f"{spoken.digits}.5"}
    single = len(spoken.groups) > 1 and max(spoken.groups) <= 9
    return Fact("digits" if single else "number", start, end, text[start:end], frozenset(readings))


def _spoken_time(text: str, start: int, end: int, spoken: Spoken, language: str) -> Fact | None:
    """ "half past eight", "eight o'clock", "às oito e meia", "às nove e quinze"; None where it is no time."""
    if len(spoken.groups) != 1 or not 1 <= spoken.groups[0] <= 24:
        return None
    hour, minute = spoken.groups[0], 0
    if past := _PAST.search(text[:start]):
        minute = 30 if past[1].lower() == "half" else 15
        hour, minute = (hour, minute) if past[2].lower() == "past" else ((hour - 2) % 12 + 1, 60 - minute)
        return _time(text, past.start(), end, hour, minute)
    if _AT_PT.search(text[:start]) and (minutes := _AND_MINUTES.match(text, end)):
        rest = spoken_number([word.lower() for word in _WORD.findall(text[minutes.end() :])[:2]], language)
        if minutes[1]:
            end, minute = minutes.end(), 30
        elif rest and len(rest.groups) == 1 and rest.groups[0] < 60:
            minute = rest.groups[0]
            end = list(_WORD.finditer(text, minutes.end()))[rest.length - 1].end()
    elif hours := _HOURS.match(text, end):
        end = hours.end()
    elif not (_MORNING.match(text, end) or _EVENING.match(text, end)):
        return None
    return _time(text, start, end, hour, minute)


def _with_currency(fact: Fact, text: str) -> Fact:
    if fact.kind not in ("number", "digits"):
        return fact
    found = _CURRENCY_BEFORE.search(text[: fact.start]) or _CURRENCY_AFTER.match(text, fact.end)
    return replace(fact, currency=_CURRENCIES[found[1][0].lower()]) if found else fact
