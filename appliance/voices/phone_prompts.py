"""The prompts of enrolment by telephone: their texts, and the files that Asterisk plays."""

import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import msgspec

TONE = "|"  # at the end of a text: speak after the tone
SUFFIX = ".wav16"  # what Asterisk calls WAV at 16 kHz


class Spoken(NamedTuple):
    """A prompt: which voice says what, and whether the tone follows."""

    key: str
    voice: str
    text: str
    tone: bool

    @property
    def file_name(self) -> str:
        """Another one for another text or voice, so that nothing old is ever played."""
        mark = hashlib.sha256(f"{self.voice} {self.tone} {self.text}".encode()).hexdigest()[:12]
        return f"{self.key}-{mark}{SUFFIX}"


def languages() -> tuple[str, ...]:
    """Those that there are prompts in."""
    return tuple(_texts())


def usable(spoken_here: Iterable[str]) -> tuple[str, ...]:
    """The languages of a box, in its order, that there are prompts in."""
    return tuple(language for language in spoken_here if language in _texts())


def sentences(language: str) -> int:
    """How many there are to be said."""
    return len([one for one in prompts(language) if one.key.startswith("sentence-")])


def wording(language: str) -> str:
    """The consent, as the person says it."""
    return next(one.text for one in prompts(language) if one.key == "consent")


def prompts(language: str) -> list[Spoken]:
    """All of a language."""
    return list(_prompts(language))


def path(folder: Path, language: str, key: str) -> Path:
    """The file of a prompt."""
    return next(folder / language / one.file_name for one in prompts(language) if one.key == key)


def missing(folder: Path, language: str) -> list[Spoken]:
    """Those that have no file yet."""
    there = {one.name for one in (folder / language).glob(f"*{SUFFIX}")}
    return [one for one in prompts(language) if one.file_name not in there]


def _prompts(language: str) -> Iterator[Spoken]:
    table = _texts()[language]
    voice = str(table["voice"])
    for key, value in table.items():
        if isinstance(value, list):
            yield from (_spoken(f"sentence-{number}", voice, text) for number, text in enumerate(value, 1))
        elif key != "voice":
            yield _spoken(key, voice, value)


def _spoken(key: str, voice: str, text: str) -> Spoken:
    return Spoken(key, voice, text.removesuffix(TONE).strip(), text.endswith(TONE))


@cache
def _texts() -> dict[str, dict[str, str | list[str]]]:
    content = resources.files("appliance.voices").joinpath("phone_prompts.toml").read_bytes()
    return msgspec.toml.decode(content, type=dict[str, dict[str, str | list[str]]])
