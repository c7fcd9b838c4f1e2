"""A route's glossary: terms with a fixed translation and names that stay as they are, held fast around an engine.

Terms are replaced by placeholders before translation and put back afterwards. Which placeholders an engine carries
through is measured, not assumed: small models lose or change most marks, but copy what looks like a part number.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

COLUMNS = ("source", "target", "source_language", "target_language")
# Each of them came through Bergamot's tiny models in every sentence tried, next to others and with articles before it.
PLACEHOLDERS = tuple(f"QX{number}" for number in (17, 23, 31, 47, 53, 61, 79, 83, 97))
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")


class GlossaryError(Exception):
    """A glossary cannot be used; the message has one sentence for each problem."""


@dataclass(frozen=True, slots=True)
class Term:
    """`source` becomes `target`; languages are lower-case tags, "" for any. A name is its own target."""

    source: str
    target: str
    source_language: str = ""
    target_language: str = ""

    def serves(self, source_language: str, target_language: str) -> bool:
        """Whether this term is for that direction; "pt" in the glossary serves "pt-br"."""
        return _covers(self.source_language, source_language) and _covers(self.target_language, target_language)


@dataclass(frozen=True, slots=True)
class Protected:
    """A text whose terms have become placeholders, and what each of them stands for."""

    text: str
    meanings: tuple[tuple[str, str], ...] = ()

    def restore(self, translation: str) -> tuple[str, list[str]]:
        """The translation with the terms in their places, and those terms for which it has no place any more."""
        lost = []
        for placeholder, meaning in self.meanings:
            found = re.search(rf"\b{re.escape(placeholder)}\b", translation, re.IGNORECASE)
            if found is None:
                lost.append(meaning)
                continue
            translation = translation[: found.start()] + meaning + translation[found.end() :]
        return translation, lost


class Glossary:
    """The terms of one route."""

    def __init__(self, terms: Sequence[Term] = ()) -> None:
        self.terms = tuple(sorted(terms, key=lambda term: -len(term.source)))  # "New York" before "York"

    def protect(self, text: str, source_language: str, target_language: str) -> Protected:
        """Replace each term by a placeholder that `text` does not have itself. As many as there are placeholders."""
        terms = {t.source.casefold(): t for t in self.terms[::-1] if t.serves(source_language, target_language)}
        if not terms:
            return Protected(text)
        free = (name for name in PLACEHOLDERS if name not in text)
        meanings: list[tuple[str, str]] = []

        def placeholder(found: re.Match[str]) -> str:
            name = next(free, None)
            if name is None:
                return found.group()
            meanings.append((name, terms[found.group().casefold()].target))
            return name

        return Protected(_any_of(terms).sub(placeholder, text), tuple(meanings))


def parse_glossary(text: str, name: str) -> Glossary:
    """A glossary from CSV with the columns `source`, `target` and, if need be, `source_language`, `target_language`.

    An empty target keeps the source; an empty language is any. Separated by commas or, as some spreadsheets write it,
    semicolons; the first line names the columns. Raises GlossaryError with one line for each problem.
    """
    lines = text.removeprefix("\ufeff")  # spreadsheets like to begin with a byte order mark
    header = lines.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(lines), delimiter=";" if header.count(";") > header.count(",") else ",")
    columns = [column.strip() for column in reader.fieldnames or ()]
    if "source" not in columns or (unknown := sorted(set(columns) - set(COLUMNS))):
        wrong = f'has an unknown column "{unknown[0]}"' if "source" in columns else 'has no column "source"'
        raise GlossaryError(f"{name} line 1: the glossary {wrong}; write: {','.join(COLUMNS)}")
    reader.fieldnames = columns
    terms: dict[tuple[str, str, str], Term] = {}
    problems = []
    for row in reader:
        term, problem = _term(row)
        key = (term.source.casefold(), term.source_language, term.target_language)
        if not problem and terms.setdefault(key, term).target != term.target:
            problem = f'"{term.source}" has two targets, "{terms[key].target}" and "{term.target}"; keep one'
        if problem:
            problems.append(f"{name} line {reader.line_num}: {problem}")
    if problems:
        raise GlossaryError("\n".join(problems))
    return Glossary(list(terms.values()))


def _term(row: dict[str | None, str | list[str] | None]) -> tuple[Term, str]:
    """The term of one line, and what is wrong with it ("" where nothing is)."""
    cells = {column: " ".join(str(row.get(column) or "").split()) for column in COLUMNS}
    languages = [cells["source_language"].lower(), cells["target_language"].lower()]
    term = Term(cells["source"], cells["target"] or cells["source"], *languages)
    return term, next(_problems(row, term), "")


def _problems(row: dict[str | None, str | list[str] | None], term: Term) -> Iterator[str]:
    if None in row:
        yield 'there are more cells than columns; put a term that has a comma in quotes: "Acme, Inc."'
    if not term.source:
        yield "the source term is empty; fill it in or delete the line"
    if not re.search(r"\w", term.source):
        yield f'the source term "{term.source}" has no letter or digit, so it cannot be found in speech'
    for language in filter(None, (term.source_language, term.target_language)):
        if not _LANGUAGE.fullmatch(language):
            yield f'"{language}" is not a language tag; write for example "pt-BR", or leave it empty for any language'


def _any_of(terms: dict[str, Term]) -> re.Pattern[str]:
    longest_first = sorted(terms, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)", re.IGNORECASE)


def _covers(wanted: str, language: str) -> bool:
    return wanted in ("", language, language.partition("-")[0])
