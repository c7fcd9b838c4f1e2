"""Whose voice it is: which encoder tells, and what the likeness of two vectors says."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from appliance.voices.arrays import Floats
from appliance.voices.ecapa import Ecapa
from appliance.voices.resemblyzer import MODEL as RESEMBLYZER_MODEL
from appliance.voices.resemblyzer import Resemblyzer
from appliance.voices.scales import RESEMBLYZER, Scale

Verdict = Literal["same", "unclear", "other"]


class Encoder(Protocol):
    """Makes vectors of voices; those of one speaker point in one direction."""

    model: str
    width: int
    scale: Scale

    def partials(self, speech: Floats, progress: Callable[[float], None] = ...) -> Floats:
        """(partials, width) of `speech` (`clean_speech`), each of length 1; `progress` gets the share that is done."""
        ...


_ROUNDS = 10


def load_encoder(cache_dir: Path, ecapa_folder: str = "") -> Encoder:
    """ECAPA-TDNN where its folder is configured, else Resemblyzer. Raises EngineError when its weights are missing."""
    return Ecapa(Path(ecapa_folder)) if ecapa_folder else Resemblyzer(cache_dir)


def model_in_use(ecapa_folder: str) -> str:
    """The name of the model that `load_encoder` gives. Raises EngineError for a folder of no use."""
    return Ecapa(Path(ecapa_folder)).model if ecapa_folder else RESEMBLYZER_MODEL


def verdict(cosine: float, scale: Scale = RESEMBLYZER) -> Verdict:
    """What a likeness says."""
    if cosine >= scale.same:
        return "same"
    return "unclear" if cosine >= scale.other else "other"


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


def least_alike(recordings: Sequence[Floats], scale: Scale = RESEMBLYZER) -> Halves:
    """Split all stretches of 5 s of some recordings in two, so that the halves are as unlike as may be.

    recordings: the partials of each. With two speakers, the halves are the speakers, whether the second one speaks half
    of the time or for some seconds. A single stretch is like itself.
    """
    stretches, places = _stretches(recordings, scale)
    if len(stretches) < 2:
        return Halves(1.0, ())
    rarer = _rarer_half(stretches)
    cosine = likeness(mean_voice(stretches[rarer]), mean_voice(stretches[~rarer]))
    return Halves(cosine, tuple(sorted({place for place, there in zip(places, rarer, strict=True) if there})))


def _stretches(recordings: Sequence[Floats], scale: Scale) -> tuple[Floats, list[int]]:
    """The mean voice of each stretch, and which recording it is of."""
    found, places = [], []
    for place, partials in enumerate(recordings):
        for first in range(0, len(partials), scale.stretch):
            stretch = partials[first : first + scale.stretch]
            if len(stretch) >= scale.least_stretch:
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
