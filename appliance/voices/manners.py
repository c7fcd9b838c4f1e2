"""Manners of speaking: recordings are cut at pauses into windows, and windows of like style belong together.

Synthesis that is given the windows of one manner speaks in it; so each group gets latents of its own.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from appliance.voices.activity import HOP_MS, find_speech, runs
from appliance.voices.arrays import Floats

SHORTEST_S = 3.0  # less has no style that could be measured
LONGEST_S = 8.0
MOST_MANNERS = 3
LEAST_SPEECH_S = 12.0  # of one manner: less makes no good voice
_DISTINCT = 0.15  # silhouette (Rousseeuw 1987): below, a split says nothing about the speaker
_ROUNDS = 50

Window = tuple[int, int]  # samples: first, after the last


def windows(samples: Floats, rate_hz: int) -> list[Window]:
    """Cut a recording, mono, into windows of 3 to 8 s of speech, at pauses where there are any; silence is left out."""
    hop = rate_hz * HOP_MS // 1000
    found: list[Window] = []
    first = end = 0
    for start, stop in _phrases(find_speech(samples, rate_hz).speech):
        if end > first and (stop - first) * HOP_MS > LONGEST_S * 1000:
            found.append((first * hop, end * hop))
            first = start
        elif end == first:
            first = start
        end = stop
    found.append((first * hop, end * hop))
    return [one for one in found if one[1] - one[0] >= SHORTEST_S * rate_hz]


def _phrases(speech: NDArray[np.bool_]) -> list[Window]:
    """Runs of speech, in hops; what is longer than a window in equal parts."""
    phrases: list[Window] = []
    for first, end in runs(speech):
        parts = -(-(end - first) * HOP_MS // round(LONGEST_S * 1000))
        edges = [first + (end - first) * part // parts for part in range(parts + 1)]
        phrases += pairwise(edges)
    return phrases


def manners(styles: Floats, speech_s: Sequence[float]) -> list[list[int]]:
    """Group windows by style: which belong together, the group with most speech first. The same input, the same groups.

    styles: (windows, 64); speech_s: of each window. One group unless two or three are distinct and long enough.
    Raises ValueError without windows.
    """
    if not len(styles):
        raise ValueError("there is no window to group")
    seconds = np.asarray(speech_s)
    best, groups = _DISTINCT, np.zeros(len(styles), np.int64)
    for count in range(2, min(MOST_MANNERS, len(styles)) + 1):
        split = _k_means(styles, count)
        long_enough = all(seconds[split == group].sum() >= LEAST_SPEECH_S for group in range(count))
        if long_enough and (distinct := _silhouette(styles, split)) > best:
            best, groups = distinct, split
    members = [np.flatnonzero(groups == group) for group in range(groups.max() + 1)]
    members.sort(key=lambda group: (-float(seconds[group].sum()), int(group[0])))
    return [[int(window) for window in group] for group in members]


def _k_means(styles: Floats, count: int) -> NDArray[np.int64]:
    """Lloyd's algorithm. It starts from the window nearest to the middle, then from those furthest from all before."""
    centres = styles[[int(np.argmin(np.linalg.norm(styles - styles.mean(axis=0), axis=1)))]]
    while len(centres) < count:
        centres = np.vstack((centres, styles[np.argmax(_distances(styles, centres).min(axis=1))]))
    groups: NDArray[np.int64] = np.argmin(_distances(styles, centres), axis=1)
    for _ in range(_ROUNDS):
        present = [styles[groups == group] for group in range(count)]
        centres = np.array([one.mean(axis=0) if len(one) else old for one, old in zip(present, centres, strict=True)])
        before, groups = groups, np.argmin(_distances(styles, centres), axis=1)
        if (before == groups).all():
            break
    return groups


def _silhouette(styles: Floats, groups: NDArray[np.int64]) -> float:
    """-1 … 1: how much nearer the windows are to their own group than to the next one."""
    own_row = np.arange(len(styles))
    apart = _distances(styles, styles)
    to_group = np.stack([apart[:, groups == group].mean(axis=1) for group in range(groups.max() + 1)], axis=1)
    sizes = np.bincount(groups)[groups]
    own = to_group[own_row, groups] * sizes / np.maximum(sizes - 1, 1)  # without the distance to itself
    to_group[own_row, groups] = np.inf
    other = to_group.min(axis=1)
    return float(np.mean(np.where(sizes > 1, (other - own) / np.maximum(np.maximum(own, other), 1e-9), 0)))


def _distances(points: Floats, centres: Floats) -> Floats:
    """(points, centres), Euclidean."""
    return np.asarray(np.linalg.norm(points[:, None] - centres[None], axis=2))
