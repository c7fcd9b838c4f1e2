"""From when on speech is taken for a voice on file, measured: likenesses of the same and of different speakers.

What is compared is what a call compares first: 5 s of speech with the voices on file. Pure.
"""

from collections.abc import Mapping, Sequence
from math import ceil, floor

import msgspec
import numpy as np

from appliance.voices.arrays import Floats
from appliance.voices.choice import FIRST_LOOK_S, Likely, identified
from appliance.voices.errors import VoiceError
from appliance.voices.identity import likeness

LEAST_PEOPLE = 5  # on file and heard: ten pairs of people
LEAST_SAME = 20
LEAST_MARGIN = 0.02
MOST_MARGIN = 0.20
_LOW_PERCENT = 5
_BELOW = 0.05  # somebody else has taken the phone: so much less than what is taken for a voice
_HUNDREDTHS = 100
_RULE_OF_THREE = 3.0  # nothing in n trials: with 95 % confidence it happens in less than 3 / n of them


class NotCalibrated(VoiceError):  # noqa: N818
    """The recordings do not allow a proposal; one sentence."""

    reason = "calibration"


class Spread(msgspec.Struct, frozen=True):
    """Some likenesses: how many there are, the least, the 5th percentile, the median, the greatest."""

    pairs: int
    least: float
    low: float
    median: float
    greatest: float


class Calibration(msgspec.Struct, frozen=True):
    """What was measured, what follows for `[voices]`, and what becomes of the measured stretches with it."""

    people: int  # on file and heard
    people_pairs: int  # of two different ones, strangers among them
    same: Spread
    different: Spread
    least_likeness: float
    least_margin: float
    other_below: float  # what it has to be below `least_likeness`
    found: int  # of the same.pairs stretches of people on file, those that are found

    @property
    def at_most_wrong(self) -> float:
        """The share of pairs of people that reach `least_likeness`, at most, with 95 % confidence.

        Of pairs of people, not of stretches: those of the same two people are all much alike.
        """
        return min(1.0, _RULE_OF_THREE / self.people_pairs)


def calibrate(on_file: Mapping[str, Floats], heard: Mapping[str, Sequence[Floats]], other_below: float) -> Calibration:
    """Measure. `on_file`: the voice of each speaker; `heard`: stretches of 5 s of speech of each; all of length 1.

    Who is heard and not on file is a stranger to all. `other_below`: as configured, kept where it is low enough.
    Raises NotCalibrated when there is too little, or voices cannot be told apart.
    """
    own = [(speaker, one) for speaker in on_file for one in heard.get(speaker, ())]
    same = [likeness(one, on_file[speaker]) for speaker, one in own]
    different = [
        likeness(one, voice)
        for speaker, stretches in heard.items()
        for one in stretches
        for other, voice in on_file.items()
        if other != speaker
    ]
    people = len({speaker for speaker, _ in own})
    _refuse_few(people, len(same))
    pairs = {frozenset((speaker, other)) for speaker in heard if heard[speaker] for other in on_file} - {
        frozenset((speaker,)) for speaker in on_file
    }
    least = _least_likeness(same, different)
    margin = _margin([_lead(one, speaker, on_file) for speaker, one in own])
    policy = Likely(least, margin)
    likenesses = [{name: likeness(one, voice) for name, voice in on_file.items()} for _, one in own]
    found = sum(identified(each, policy) == speaker for each, (speaker, _) in zip(likenesses, own, strict=True))
    below = other_below if other_below < least else _down(least - _BELOW)
    return Calibration(people, len(pairs), _spread(same), _spread(different), least, margin, below, found)


def _refuse_few(people: int, same: int) -> None:
    if people >= LEAST_PEOPLE and same >= LEAST_SAME:
        return
    needed = f"{LEAST_SAME} stretches of {FIRST_LOOK_S:.0f} s of speech, of {LEAST_PEOPLE} people on file, are needed"
    raise NotCalibrated(f"{needed}, and there are {same} of {people}; record half a minute of each, and of more people")


def _least_likeness(same: Sequence[float], different: Sequence[float]) -> float:
    """Above all that different speakers reach; halfway to what nearly all of the same reach, where that is more."""
    greatest, low = max(different), float(np.percentile(same, _LOW_PERCENT))
    least = _up(max((greatest + low) / 2, greatest + 1 / _HUNDREDTHS))
    if least > min(1.0, max(same)):
        reached = f"two people are up to {greatest:.2f} alike, and nobody is more than {max(same):.2f} like themselves"
        raise NotCalibrated(f"voices cannot be told apart: {reached}; look for a recording in the wrong folder")
    return max(least, 2 * _BELOW)


def _lead(stretch: Floats, speaker: str, on_file: Mapping[str, Floats]) -> float:
    """How much more a stretch is like its own speaker than like anybody else on file."""
    others = [likeness(stretch, voice) for name, voice in on_file.items() if name != speaker]
    return likeness(stretch, on_file[speaker]) - max(others)


def _margin(leads: Sequence[float]) -> float:
    """Half of what nearly all stretches have."""
    return min(MOST_MARGIN, max(LEAST_MARGIN, _down(float(np.percentile(leads, _LOW_PERCENT)) / 2)))


def _spread(likenesses: Sequence[float]) -> Spread:
    low, median = (float(np.percentile(likenesses, percent)) for percent in (_LOW_PERCENT, 50))
    return Spread(len(likenesses), min(likenesses), low, median, max(likenesses))


def _up(value: float) -> float:
    return ceil(round(value * _HUNDREDTHS, 6)) / _HUNDREDTHS


def _down(value: float) -> float:
    return floor(round(value * _HUNDREDTHS, 6)) / _HUNDREDTHS
