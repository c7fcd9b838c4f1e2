"""Where in a recording somebody speaks: by level, against the recording's own noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.voices.arrays import Floats

HOP_MS = 20
QUIETEST_DB = -90.0
BRIDGE_MS = 200  # shorter gaps belong to the speech around them: the closures of p, t, k
_SPEECH_DB = -55.0  # nobody who wants to be recorded speaks more softly
_CONTRAST_DB = 8.0  # what speech stands out by


@dataclass(frozen=True, slots=True)
class Activity:
    """Every 20 ms of a recording: its level in dB (0 is full scale), and whether somebody speaks."""

    level_db: Floats
    speech: NDArray[np.bool_]
    loud: NDArray[np.bool_]  # as `speech`, without the bridged gaps

    @property
    def speech_s(self) -> float:
        """How long somebody speaks."""
        return float(self.speech.sum()) * HOP_MS / 1000


def find_speech(samples: Floats, rate_hz: int) -> Activity:
    """Judge `samples`, mono in -1 … 1. The noise is what its quietest fiftieth has."""
    level_db = levels(samples, rate_hz)
    if not len(level_db):
        nothing = np.zeros(0, np.bool_)
        return Activity(level_db, nothing, nothing)
    noise_db, speech_db = np.percentile(level_db, (2, 95))
    least_db = max(_SPEECH_DB, noise_db + _CONTRAST_DB, speech_db - 30)
    loud = level_db > least_db
    return Activity(level_db, bridged(loud, BRIDGE_MS // HOP_MS), loud)


def levels(samples: Floats, rate_hz: int) -> Floats:
    """The level of each whole 20 ms, in dB."""
    hop = rate_hz * HOP_MS // 1000
    hops = samples[: len(samples) // hop * hop].reshape(-1, hop).astype(np.float64)
    power = np.mean(hops**2, axis=1)
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (QUIETEST_DB / 10))), np.float32)


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The (first, after the last) of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


def bridged(mask: NDArray[np.bool_], longest: int) -> NDArray[np.bool_]:
    """`mask` with the gaps between true values filled that are at most so long."""
    filled = mask.copy()
    for first, end in runs(~mask):
        if first > 0 and end < len(mask) and end - first <= longest:
            filled[first:end] = True
    return filled
