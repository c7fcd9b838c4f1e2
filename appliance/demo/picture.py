"""The picture of a call: for each phone what was said into it and what it heard, and the arrows of translation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch
from numpy.typing import NDArray

from appliance.demo.report import Utterance

SAID_COLOUR, HEARD_COLOUR, ARROW_COLOUR, INK = "#9aa5b1", "#1f6f8b", "#d1495b", "#2d3142"
POINTS_PER_S = 200  # of the drawn envelope
FULL_SCALE = 32768.0
INCHES_PER_S = 0.3
NARROWEST_INCHES, WIDEST_INCHES = 12.0, 26.0
CHARACTER_INCHES = 0.065  # of a label, on average
LOWEST_LABEL, LABEL_STEP, LABEL_HEIGHTS = 1.12, 0.2, 3  # full scale is 1


@dataclass(frozen=True, slots=True)
class Track:
    """One recording of one phone: int16 samples, and when its first sample was, in ms from the start of the call."""

    samples: NDArray[np.int16]
    rate_hz: int
    start_ms: float


@dataclass(frozen=True, slots=True)
class Phone:
    """One row of the picture."""

    name: str
    language: str
    said: Track
    heard: Track


def envelope(track: Track) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Instants in s and the peak around each, 0 … 1."""
    window = max(1, track.rate_hz // POINTS_PER_S)
    whole = len(track.samples) // window * window
    peaks = np.abs(track.samples[:whole].astype(np.float64)).reshape(-1, window).max(axis=1) / FULL_SCALE
    return track.start_ms / 1000 + np.arange(len(peaks)) * window / track.rate_hz, peaks


class _Row:
    """One phone's axes, and its labels: each at the lowest height where it hides no other."""

    def __init__(self, axes: Axes, seconds_per_character: float, side: int) -> None:
        self.axes = axes
        self.side = side  # 1: labels above what is drawn, -1: below
        self._seconds_per_character = seconds_per_character
        self._free_from_s = [0.0] * LABEL_HEIGHTS

    def label(self, text: str, at_s: float) -> None:
        """Write `text` beginning at an instant."""
        free = [place for place, from_s in enumerate(self._free_from_s) if from_s <= at_s]
        place = free[0] if free else int(np.argmin(self._free_from_s))
        self._free_from_s[place] = at_s + len(text) * self._seconds_per_character
        height = self.side * (LOWEST_LABEL + LABEL_STEP * place)
        self.axes.text(at_s, height, text, fontsize=8, va="center", color=INK)


def draw(phones: Sequence[Phone], utterances: Sequence[Utterance], path: Path) -> None:
    """Write the call as PNG: a row a phone, time to the right, an arrow from the end of speech to its translation."""
    last_s = max(envelope(track)[0][-1:].max(initial=1.0) for phone in phones for track in (phone.said, phone.heard))
    width_inches = min(WIDEST_INCHES, max(NARROWEST_INCHES, last_s * INCHES_PER_S))
    figure = Figure(figsize=(width_inches, 3.1 * len(phones) + 0.8), layout="constrained")
    rows: dict[str, _Row] = {}
    for place, phone in enumerate(phones, 1):
        axes = _axes(figure.add_subplot(len(phones), 1, place), phone, last_s)
        rows[phone.language] = _Row(axes, CHARACTER_INCHES * last_s / width_inches, 1 if place == 1 else -1)
    between = [each for each in utterances if {each.source_language, each.target_language} <= rows.keys()]
    for utterance in between:
        _arrow(figure, rows, utterance)
    for at_s, row, text in sorted(_labels(rows, between), key=lambda label: label[0]):
        row.label(text, at_s)
    rows[phones[-1].language].axes.set_xlabel("seconds since the call was answered", color=INK)
    figure.savefig(path, dpi=110)


def _axes(axes: Axes, phone: Phone, last_s: float) -> Axes:
    for track, colour, label in ((phone.said, SAID_COLOUR, "said"), (phone.heard, HEARD_COLOUR, "heard")):
        instants, peaks = envelope(track)
        axes.fill_between(instants, -peaks, peaks, color=colour, linewidth=0, alpha=0.85, label=label)
    highest = LOWEST_LABEL + LABEL_STEP * LABEL_HEIGHTS
    axes.set_title(f"{phone.name} ({phone.language})", loc="left", color=INK, fontsize=11)
    axes.set(xlim=(0, last_s), ylim=(-highest, highest), yticks=[])
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.98), frameon=False, ncols=2, fontsize=9)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    return axes


def _arrow(figure: Figure, rows: dict[str, _Row], utterance: Utterance) -> None:
    source, target = rows[utterance.source_language], rows[utterance.target_language]
    if utterance.first_audio_ms is None or utterance.lag_ms is None:
        return
    start_s, end_s = (utterance.first_audio_ms - utterance.lag_ms) / 1000, utterance.first_audio_ms / 1000
    figure.add_artist(
        ConnectionPatch(
            (start_s, -0.6 * source.side), (end_s, -0.6 * target.side), source.axes.transData, target.axes.transData,
            arrowstyle="-|>", color=ARROW_COLOUR, linewidth=1.4, mutation_scale=12,
        )
    )  # fmt: skip


def _labels(rows: dict[str, _Row], utterances: Sequence[Utterance]) -> Iterator[tuple[float, _Row, str]]:
    """What is written where: instant in s, row, text."""
    for utterance in utterances:
        start_s = utterance.speech_start_ms / 1000
        yield start_s, rows[utterance.source_language], shorten(utterance.text, 48)
        if utterance.first_audio_ms is not None:
            first_s, lag_s = utterance.first_audio_ms / 1000, (utterance.lag_ms or 0) / 1000
            text = f"{shorten(utterance.translation, 44)}  (+{lag_s:.2f} s)"
            yield first_s, rows[utterance.target_language], text
