"""Whose voice a leg speaks with in other languages, and whether it is still its speaker: policies, as values.

The configuration decides, else the phone number, else the likeness of the first seconds; else it is a stock voice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from appliance.voices.arrays import Floats
from appliance.voices.profile import dialled

STOCK = "stock"  # in place of a voice in the configuration: none on file
By = Literal["", "route", "number", "voice"]

FIRST_LOOK_S = 5.0  # of speech: less varies too much to be judged (identity.py)
NEXT_LOOK_S = 5.0
LEARN_FROM_S = 6.0
WATCH_S = 6.0  # of new speech, between two looks at whether it is still the same person
LOOKS_TO_TURN = 2  # one look may be at a cough, or at the radio
BACK_ABOVE = 0.08  # more than what is another voice: who is in between changes nothing
STAYS_WITHIN = 0.9  # a manner of speaking changes only for one that is so much nearer


@dataclass(frozen=True, slots=True)
class Choice:
    """A voice on file, and what it was found by. Without `speaker` it is a stock voice; without `by`, nobody knows."""

    speaker: str = ""
    by: By = ""


@dataclass(frozen=True, slots=True)
class Likely:
    """When a likeness is believed: so great, and so much greater than that of the second."""

    least_likeness: float = 0.80
    least_margin: float = 0.05


def choose(configured: str, by_number: str | None, by_voice: str | None) -> Choice:
    """The voice of a leg. `configured`: the id that its route says, `STOCK`, or "" for nothing."""
    if configured:
        return Choice("" if configured == STOCK else configured, "route")
    if by_number:
        return Choice(by_number, "number")
    return Choice(by_voice, "voice") if by_voice else Choice()


def numbers_on_file(number: str, country_code: str) -> list[str]:
    """How a number that the network gives may be on file, the likeliest first; nothing for what is no number.

    "4711", "011 99999-0000" and "11999990000" may all lack their country's code.
    """
    try:
        digits = dialled(number)
    except ValueError:
        return []
    is_international = number.strip().startswith(("+", "00"))
    if not digits or is_international or not country_code:
        return [digits] if digits else []
    return [digits, country_code + digits.removeprefix("0")]


def identified(likenesses: Mapping[str, float], policy: Likely) -> str | None:
    """Who speaks, by the likeness of the speech to each voice on file; None: nobody can be told."""
    ranked = sorted(likenesses, key=likenesses.__getitem__, reverse=True)
    if not ranked or likenesses[ranked[0]] < policy.least_likeness:
        return None
    second = likenesses[ranked[1]] if len(ranked) > 1 else -1.0
    return ranked[0] if likenesses[ranked[0]] - second >= policy.least_margin else None


def may_learn(choice: Choice, consent: bool, is_searched: bool) -> bool:
    """Whether a temporary voice is learned: with consent, of somebody who is not on file as far as one can tell.

    is_searched: whether the first look for the voice among those on file is over.
    """
    return consent and is_searched and not choice.by


@dataclass(frozen=True, slots=True)
class Match:
    """Whether a leg sounds like its voice. `contrary`: looks in a row that have said the opposite."""

    holds: bool = True
    contrary: int = 0


def next_match(match: Match, likeness: float, other_below: float) -> Match:
    """After one more look. It takes some in a row to turn, and more likeness to come back than to stay."""
    says_same = likeness >= other_below if match.holds else likeness >= other_below + BACK_ABOVE
    if says_same is match.holds:
        return replace(match, contrary=0)
    if match.contrary + 1 < LOOKS_TO_TURN:
        return replace(match, contrary=match.contrary + 1)
    return Match(not match.holds)


def nearest_manner(centres: Sequence[Floats], style: Floats, current: int) -> int:
    """Which of a voice's manners, (64,) each, is nearest to `style`; `current` unless another one is clearly nearer."""
    if not centres:
        return 0
    apart = [float(np.linalg.norm(centre - style)) for centre in centres]
    nearest = int(np.argmin(apart))
    if current < len(apart) and apart[nearest] > STAYS_WITHIN * apart[current]:
        return current
    return nearest
