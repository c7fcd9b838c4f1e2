"""The picture of a lane: the words of the source against those of the translation in time, and the lag between."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from appliance.bench.lag import MEAN_LAG_MS, LaneReport
from appliance.bench.lag_lanes import LaneResult
from appliance.bench.lag_metrics import word_lags_ms, word_onsets_ms
from appliance.bench.lag_speech import Stream

SOURCE, TARGET, BOUND, INK = "#9aa5b1", "#1f6f8b", "#d1495b", "#2d3142"
LABELLED_S = 90.0  # in a longer stream there is no room for the words
CHARACTERS = 26


def draw(stream: Stream, lane: LaneReport, path: Path) -> None:
    """Write it as PNG."""
    last_s = max([piece.last_ms for piece in lane.result.heard] + [60_000 * stream.minutes]) / 1000
    figure = Figure(figsize=(min(26.0, max(12.0, 0.3 * last_s)), 8), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _words(above, stream, lane.result, labelled=last_s <= LABELLED_S)
    above.set_title(f"{lane.name}: each word, when it was said and when it was heard", loc="left", color=INK)
    _lags(below, lane)
    below.set(xlim=(0, 1.03 * last_s), xlabel="seconds since the speaker's line was opened")
    for axes in (above, below):
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.savefig(path, dpi=110)


def _words(axes: Axes, stream: Stream, result: LaneResult, labelled: bool) -> None:
    for recording in stream.recordings:
        axes.axvspan(recording.begin_ms / 1000, recording.end_ms / 1000, color=SOURCE, alpha=0.15, linewidth=0)
    said = [(segment.text, _spread(segment.text, segment.start_ms, segment.end_ms)) for segment in result.said]
    heard = [(piece.text, word_onsets_ms(piece)) for piece in result.heard]
    for pieces, colour, label, side in ((said, SOURCE, "said", 1), (heard, TARGET, "heard in translation", -1)):
        _staircase(axes, pieces, colour, label, side if labelled else 0)
    axes.set(ylabel="words so far (%)", ylim=(-4, 108))
    axes.legend(loc="upper left", frameon=False)


def _staircase(axes: Axes, pieces: list[tuple[str, list[float]]], colour: str, label: str, side: int) -> None:
    """A step for every word; each piece begins with a dot, and its text stands above (1) or below it (-1), or not."""
    instants = [instant / 1000 for _, words in pieces for instant in words]
    share = 100 * np.arange(1, len(instants) + 1) / max(1, len(instants))
    axes.step(instants, share, where="post", color=colour, linewidth=2, label=label)
    firsts = np.cumsum([0, *(len(words) for _, words in pieces)])[:-1]
    for (text, words), first in zip(pieces, firsts, strict=True):
        if not words:
            continue
        at = (words[0] / 1000, float(share[first]))
        axes.plot(*at, "o", color=colour, markersize=3)
        if side:
            axes.annotate(
                _short(text), at, (-5 * side, 3 * side), textcoords="offset points", fontsize=6.5, color=INK,
                ha="right" if side > 0 else "left", va="bottom" if side > 0 else "top",
            )  # fmt: skip


def _lags(axes: Axes, lane: LaneReport) -> None:
    onsets = [onset / 1000 for piece in lane.result.heard for onset in word_onsets_ms(piece)]
    lags = [lag / 1000 for piece in lane.result.heard for lag in word_lags_ms(piece)]
    mean = lane.lag.mean_lag_ms / 1000
    axes.plot(onsets, lags, ".", color=TARGET, markersize=3)
    axes.axhline(mean, color=TARGET, linewidth=1, label=f"mean {mean:.2f} s")
    axes.axhline(
        MEAN_LAG_MS / 1000, color=BOUND, linewidth=1, linestyle=":", label=f"at most {MEAN_LAG_MS / 1000:.1f} s"
    )
    axes.set(ylabel="lag (s)", ylim=(min(0.0, *lags), None))
    axes.legend(loc="upper left", frameon=False, ncols=2)


def _spread(text: str, start_ms: float, end_ms: float) -> list[float]:
    """When each word was said, if all took equally long."""
    return list(np.linspace(start_ms, end_ms, len(text.split()), endpoint=False))


def _short(text: str) -> str:
    return text if len(text) <= CHARACTERS else text[: CHARACTERS - 1] + "…"
