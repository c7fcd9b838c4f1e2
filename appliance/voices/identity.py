"""Whose voice it is: the encoders by name, and what the likeness of two vectors says."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from appliance.voices.arrays import Floats
from appliance.voices.resemblyzer import Resemblyzer

Verdict = Literal["same", "unclear", "other"]


class Encoder(Protocol):
    """Makes vectors of voices; those of one speaker point in one direction."""

    model: str
    width: int

    def partials(self, speech: Floats, progress: Callable[[float], None] = ...) -> Floats:
        """(partials, width) of `speech` (`clean_speech`), each of length 1; `progress` gets the share that is done."""
        ...


ENCODERS: dict[str, Callable[[Path], Encoder]] = {"resemblyzer": Resemblyzer}
DEFAULT = "resemblyzer"  # its weights are in a package, and it needs no torch

# Measured with Resemblyzer, in stretches of 3 s and more. The two halves of one voice in one room (two people, thirteen
# synthetic voices) are 0.89 to 0.98 alike, two voices 0.46 to 0.73. Single sentences have been seen at 0.71 for one
# person and at 0.82 for two; one person in two places is 0.84 (telephone), 0.69 (echoing room), 0.66 (noisy telephone).
SAME = 0.80
OTHER = 0.70
STRETCH = 6  # partials: 5.5 s
_LEAST_STRETCH = 3  # 3.1 s; shorter ones vary too much to be judged
_ROUNDS = 10


def load_encoder(cache_dir: Path, name: str = DEFAULT) -> Encoder:
    """The encoder called `name`. Raises EngineError when its weights are missing."""
    return ENCODERS[name](cache_dir)


def verdict(cosine: float) -> Verdict:
    """What a likeness says."""
    if cosine >= SAME:
        return "same"
    return "unclear" if cosine >= OTHER else "other"


def mean_voice(partials: Floats) -> Floats:
    """The direction that partials have in common, (width,), of length 1."""
    mean = partials.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9), np.float32)


def likeness(one: Floats, other: Floats) -> float:
    """The cosine of two vectors of length 1."""
    return float(np.clip(one @ other, -1, 1))


class Halves(NamedTuple):
    """The two groups of stretches that are least alike: how alike, and the recordings that have the smaller one."""

    cosine: float
    rarer_in: tuple[int, ...]


def least_alike(recordings: Sequence[Floats]) -> Halves:
    """Split all stretches of 5 s of some recordings in two, so that the halves are as unlike as may be.

    recordings: the partials of each. With two speakers, the halves are the speakers, whether the second one speaks half
    of the time or for some seconds. A single stretch is like itself.
    """
    stretches, places = _stretches(recordings)
    if len(stretches) < 2:
        return Halves(1.0, ())
    rarer = _rarer_half(stretches)
    cosine = likeness(mean_voice(stretches[rarer]), mean_voice(stretches[~rarer]))
    return Halves(cosine, tuple(sorted({place for place, there in zip(places, rarer, strict=True) if there})))


def _stretches(recordings: Sequence[Floats]) -> tuple[Floats, list[int]]:
    """The mean voice of each stretch, and which recording it is of."""
    found, places = [], []
    for place, partials in enumerate(recordings):
        for first in range(0, len(partials), STRETCH):
            stretch = partials[first : first + STRETCH]
            if len(stretch) >= _LEAST_STRETCH:
                found.append(mean_voice(stretch))
                places.append(place)
    return np.array(found, np.float32), places


def _rarer_half(stretches: Floats) -> NDArray[np.bool_]:
    """Two groups by Lloyd's algorithm, from the two stretches that are least alike; true: the smaller one."""
    alike = stretches @ stretches.T
    centres = stretches[list(np.unravel_index(np.argmin(alike), alike.shape))]
    for _ in range(_ROUNDS):
        nearer = np.argmax(stretches @ centres.T, axis=1)
        if len(set(nearer)) < 2:  # all are equal
            nearer = np.arange(len(stretches)) % 2
        centres = np.stack([mean_voice(stretches[nearer == group]) for group in (0, 1)])
    rarer = np.argmin(np.bincount(nearer, minlength=2))
    return np.asarray(nearer == rarer)
