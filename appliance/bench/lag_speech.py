"""What `bench lag` says: recordings read in one stream, with where in it each was voiced."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from appliance.demo.say import SayError, Turn, load_turn
from appliance.units import SAMPLE_RATE_HZ

Samples = NDArray[np.int16]  # 16 kHz, mono

LONGEST_S = 3600.0
LEAD_S = 0.5  # of silence in front, as when a call has just been answered
SUFFIXES = frozenset({".wav", ".flac", ".ogg"})
VOICED_BELOW_LOUDEST_DB = 35.0
WINDOW = SAMPLE_RATE_HZ // 50


@dataclass(frozen=True, slots=True)
class Recording:
    """One file. It is voiced from `begin_ms` to `end_ms`, counted from the beginning of the stream."""

    name: str
    samples: Samples
    begin_ms: float
    end_ms: float

    @property
    def voiced_ms(self) -> float:
        """How long it is, without silence around it."""
        return self.end_ms - self.begin_ms


@dataclass(frozen=True, slots=True)
class Stream:
    """All that one person says."""

    samples: Samples
    recordings: tuple[Recording, ...]

    @property
    def minutes(self) -> float:
        """How long it is."""
        return len(self.samples) / SAMPLE_RATE_HZ / 60


def sound_files(paths: Sequence[Path]) -> list[Path]:
    """The files named, and those in the folders named, by name. Raises SayError where there are none."""
    found = [file for path in paths for file in (_in_folder(path) if path.is_dir() else [path])]
    if not found:
        raise SayError("--say: name at least one recording, or a folder of them")
    return found


def stream_of(paths: Sequence[Path], language: str, pause_s: float, minutes: float = 0.0) -> Stream:
    """Read recordings one after another, with `pause_s` of silence between them; again while it lasts less than
    `minutes`. Raises SayError."""
    turns = [load_turn(language, path, LONGEST_S) for path in paths]
    pause = np.zeros(round(pause_s * SAMPLE_RATE_HZ), np.int16)
    once = sum(len(turn.samples) + len(pause) for turn in turns)
    times = max(1, -int(-minutes * 60 * SAMPLE_RATE_HZ // once))
    return _joined(turns * times, pause)


def voiced(samples: Samples) -> tuple[float, float]:
    """The first and the last instant in ms that is at most 35 dB weaker than the loudest 20 ms."""
    whole = len(samples) // WINDOW * WINDOW
    power = np.square(samples[:whole].astype(np.float64)).reshape(-1, WINDOW).mean(axis=1)
    loud = np.flatnonzero(power >= power.max() * 10 ** (-VOICED_BELOW_LOUDEST_DB / 10))
    return float(loud[0]) * 20, float(loud[-1] + 1) * 20


def _joined(turns: Sequence[Turn], pause: Samples) -> Stream:
    lead = np.zeros(round(LEAD_S * SAMPLE_RATE_HZ), np.int16)
    starts = accumulate((len(turn.samples) + len(pause) for turn in turns), initial=len(lead))
    recordings = tuple(_placed(turn, start) for turn, start in zip(turns, starts, strict=False))
    return Stream(np.concatenate([lead, *(part for turn in turns for part in (turn.samples, pause))]), recordings)


def _placed(turn: Turn, start: int) -> Recording:
    start_ms = start * 1000 / SAMPLE_RATE_HZ
    begin_ms, end_ms = voiced(turn.samples)
    return Recording(turn.name, turn.samples, start_ms + begin_ms, start_ms + end_ms)


def _in_folder(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
