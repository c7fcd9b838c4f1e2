"""The picture of a call: for each phone what was said into it and what it heard, and the arrows of translation."""

from collections.abc import Sequence
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


def draw(phones: Sequence[Phone], utterances: Sequence[Utterance], path: Path) -> None:
    """Write the call as PNG: a row a phone, time to the right, an arrow from the end of speech to its translation."""
    last_s = max(envelope(track)[0][-1:].max(initial=1.0) for phone in phones for track in (phone.said, phone.heard))
    figure = Figure(
        figsize=(min(WIDEST_INCHES, max(NARROWEST_INCHES, last_s * INCHES_PER_S)), 2.9 * len(phones) + 0.8),
        layout="constrained",
    )
    rows: dict[str, Axes] = {}
    for place, phone in enumerate(phones, 1):
        rows[phone.language] = _row(figure.add_subplot(len(phones), 1, place), phone, last_s)
    for number, utterance in enumerate(utterances):
        _arrow(figure, rows, utterance, low=bool(number % 2))
    rows[phones[-1].language].set_xlabel("seconds since the call was answered", color=INK)
    figure.savefig(path, dpi=110)


def _row(axes: Axes, phone: Phone, last_s: float) -> Axes:
    for track, colour, label in ((phone.said, SAID_COLOUR, "said"), (phone.heard, HEARD_COLOUR, "heard")):
        instants, peaks = envelope(track)
        axes.fill_between(instants, -peaks, peaks, color=colour, linewidth=0, alpha=0.85, label=label)
    axes.set_title(f"{phone.name} ({phone.language})", loc="left", color=INK, fontsize=11)
    axes.set(xlim=(0, last_s), ylim=(-1.45, 1.45), yticks=[])
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.98), frameon=False, ncols=2, fontsize=9)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    return axes


def _arrow(figure: Figure, rows: dict[str, Axes], utterance: Utterance, low: bool) -> None:
    source, target = rows.get(utterance.source_language), rows.get(utterance.target_language)
    if source is None or target is None or utterance.first_audio_ms is None:
        return
    start_s, end_s = utterance.speech_end_ms / 1000, utterance.first_audio_ms / 1000
    downwards = source.get_position().y0 > target.get_position().y0
    side = -1 if downwards else 1
    figure.add_artist(
        ConnectionPatch(
            (start_s, 0.6 * side), (end_s, -0.6 * side), source.transData, target.transData,
            arrowstyle="-|>", color=ARROW_COLOUR, linewidth=1.4, mutation_scale=12,
        )
    )  # fmt: skip
    height = 1.12 if low else 1.32
    style = {"fontsize": 8, "va": "center", "color": INK}
    source.text(utterance.speech_start_ms / 1000, -height * side, shorten(utterance.text, 48), style)
    latency_s = (utterance.chain_latency_ms or 0) / 1000
    target.text(end_s, height * side, f"{shorten(utterance.translation, 44)}  (+{latency_s:.2f} s)", style)
