"""Which languages each engine knows (languages.toml), and what a combination of engines can interpret."""

import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

_TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def _languages(section: str) -> dict[str, frozenset[str]]:
    return {engine: frozenset(tags.split()) for engine, tags in _TABLE[section].items()}


def _base(tag: str) -> str:
    return tag.partition("-")[0]


def all_pairs(languages: Collection[str]) -> frozenset[tuple[str, str]]:
    """Every direction among `languages`, but not between variants of one."""
    return frozenset((a, b) for a in languages for b in languages if _base(a) != _base(b))


NLLB_CODES: dict[str, str] = _TABLE["nllb"]  # tag → FLORES-200 code
RECOGNIZED = _languages("recognized")  # by engine
RECOGNIZED["whisper"] = RECOGNIZED["whisper-base"]  # any size of it: the larger ones know no fewer
SPOKEN = _languages("spoken")
TRANSLATED = {engine: all_pairs(tags) for engine, tags in _languages("translated").items()} | {
    "nllb": all_pairs(NLLB_CODES)
}


@dataclass(frozen=True, slots=True)
class Combination:
    """One engine for each stage, and the directions in which they can interpret: (spoken, heard)."""

    recognizer: str
    translator: str
    synthesizer: str
    directions: frozenset[tuple[str, str]]


def combinations() -> Iterator[Combination]:
    """Every combination of engines that can interpret anything."""
    for recognizer in RECOGNIZED:
        for translator in TRANSLATED:
            for synthesizer in SPOKEN:
                if found := directions(recognizer, translator, synthesizer):
                    yield Combination(recognizer, translator, synthesizer, found)


def directions(recognizer: str, translator: str, synthesizer: str) -> frozenset[tuple[str, str]]:
    """In which directions these engines can interpret. Raises KeyError for an engine that is not in the table."""
    pairs, spoken = TRANSLATED[translator], SPOKEN[synthesizer]
    tags = {tag for pair in pairs for tag in pair} | spoken
    sources = [tag for tag in tags if best_match(RECOGNIZED[recognizer], tag)]
    targets = [tag for tag in tags if best_match(spoken, tag)]
    return frozenset((source, target) for source in sources for target in targets if pair_for(pairs, source, target))


def pair_for(pairs: Collection[tuple[str, str]], source: str, target: str) -> tuple[str, str] | None:
    """Which of `pairs` serves this direction: whole tags before first parts."""
    wanted = ((a, b) for b in (target, _base(target)) for a in (source, _base(source)))
    return next((pair for pair in wanted if pair in pairs), None)


def best_match(languages: Collection[str], language: str) -> str:
    """Which of `languages` serves `language`: the whole tag, else its first part, else none ("")."""
    return next((tag for tag in (language, _base(language)) if tag in languages), "")


def bcp47(tag: str) -> str:
    """A lower-case tag as RFC 5646 section 2.1.1 writes it: "pt-BR", "zh-Hans", "es-419"."""
    first, *rest = tag.split("-")
    return "-".join([first, *(part.upper() if len(part) == 2 else part.title() for part in rest)])
