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
    below.set(xlim=(0, last_s), xlabel="seconds since the speaker's line was opened")
    for axes in (above, below):
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.savefig(path, dpi=110)


def _words(axes: Axes, stream: Stream, result: LaneResult, labelled: bool) -> None:
    said = [instant for segment in result.said for instant in _spread(segment.text, segment.start_ms, segment.end_ms)]
    for recording in stream.recordings:
        axes.axvspan(recording.begin_ms / 1000, recording.end_ms / 1000, color=SOURCE, alpha=0.15, linewidth=0)
    axes.step(np.array(said) / 1000, 100 * _share(len(said)), where="post", color=SOURCE, linewidth=2, label="said")
    heard = [onset for piece in result.heard for onset in word_onsets_ms(piece)]
    share = 100 * _share(len(heard))
    axes.step(np.array(heard) / 1000, share, where="post", color=TARGET, linewidth=2, label="heard in translation")
    place = 0
    for piece in result.heard:
        axes.plot(piece.first_ms / 1000, share[min(place, len(share) - 1)], "o", color=TARGET, markersize=3)
        if labelled:
            at = (piece.first_ms / 1000, share[min(place, len(share) - 1)])
            axes.annotate(
                _short(piece.text), at, (5, -3), textcoords="offset points", fontsize=6.5, color=INK, va="top"
            )
        place += len(piece.text.split())
    axes.set(ylabel="words so far (%)", ylim=(0, 105))
    axes.legend(loc="upper left", frameon=False)


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


def _share(count: int) -> "np.typing.NDArray[np.float64]":
    return np.arange(1, count + 1) / max(1, count)


def _short(text: str) -> str:
    return text if len(text) <= CHARACTERS else text[: CHARACTERS - 1] + "…"
