"""How far a lane trails its speaker, and how good it is: latency and quality metrics from the literature, on values.

All times are milliseconds on one clock. Delays are measured on the wall clock, hence computation-aware.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

MOST_POINTS = 1000  # of a slope: all pairs of them are compared


@dataclass(frozen=True, slots=True)
class Interpreted:
    """One translated piece: when its source was spoken, and when it was heard."""

    text: str
    source_start_ms: float
    source_end_ms: float
    first_ms: float  # its first sample on the wire
    last_ms: float
    segment: int = 0  # which of the speaker's it belongs to


@dataclass(frozen=True, slots=True)
class LagReport:
    """One lane."""

    words: int
    mean_lag_ms: float
    p95_lag_ms: float
    laal_ms: float
    average_lagging_ms: float
    slope_ms_per_min: float
    first_audio_p50_ms: float  # after the end of an utterance …
    first_audio_p95_ms: float
    last_clause_p50_ms: float  # … and to the beginning of the clause that translates its end
    last_clause_p95_ms: float


@dataclass(frozen=True, slots=True)
class Quality:
    """A translation against a reference, 0 to 100 (sacrebleu's defaults)."""

    chrf: float
    bleu: float


def average_lagging(delays_ms: Sequence[float], source_ms: float, reference_words: int) -> float:
    """Average Lagging for speech (Ma et al. 2020, SimulMT to SimulST, after Ma et al. 2019, STACL).

    `delays_ms[i]`: from the source's beginning until target word i was there. Words after the first that came when the
    source had ended do not count. Raises ValueError without words or without a source.
    """
    if not delays_ms or source_ms <= 0 or reference_words < 1:
        raise ValueError("lagging needs target words, reference words and a source longer than 0 ms")
    counted = next((place for place, delay in enumerate(delays_ms, 1) if delay >= source_ms), len(delays_ms))
    per_word_ms = source_ms / reference_words
    return sum(delay - place * per_word_ms for place, delay in enumerate(delays_ms[:counted])) / counted


def length_adaptive_average_lagging(delays_ms: Sequence[float], source_ms: float, reference_words: int) -> float:
    """LAAL (Papi et al. 2022): as Average Lagging, but saying more than the reference is not rewarded."""
    return average_lagging(delays_ms, source_ms, max(len(delays_ms), reference_words))


def word_onsets_ms(heard: Interpreted) -> list[float]:
    """When each word began to be heard, if all characters take equally long."""
    words = heard.text.split()
    before = np.cumsum([0, *(len(word) + 1 for word in words)])
    parts = before[:-1] / max(1, before[-1])
    return [heard.first_ms + float(part) * (heard.last_ms - heard.first_ms) for part in parts]


def word_lags_ms(heard: Interpreted) -> list[float]:
    """How long after its place in the source each word began to be heard (the interpreter's ear-voice span)."""
    onsets = word_onsets_ms(heard)
    source_ms = heard.source_end_ms - heard.source_start_ms
    return [onset - (heard.source_start_ms + source_ms * place / len(onsets)) for place, onset in enumerate(onsets)]


def evenly_spread_lag_ms(heard: Sequence[Interpreted], segments_ms: Sequence[tuple[float, float]]) -> float:
    """The mean lag, had each segment's words their places evenly between its begin and end.

    A word's own place is the speech that it was told with, which is later for words that were held back.
    """
    lags: list[float] = []
    for segment, (begin_ms, end_ms) in enumerate(segments_ms):
        onsets = [onset for piece in heard if piece.segment == segment for onset in word_onsets_ms(piece)]
        lags += [onset - begin_ms - (end_ms - begin_ms) * place / len(onsets) for place, onset in enumerate(onsets)]
    return float(np.mean(lags)) if lags else 0.0


def slope_per_min(times_ms: Sequence[float], lags_ms: Sequence[float]) -> float:
    """By how many ms a minute the lag grows: the median of the slopes between all pairs (Theil-Sen), deaf to outliers.

    0 where there are fewer than two different times. Of more than 1000 points, every so many are looked at.
    """
    every = 1 + len(times_ms) // MOST_POINTS
    times, lags = np.asarray(times_ms, float)[::every], np.asarray(lags_ms, float)[::every]
    first, second = np.triu_indices(len(times), 1)
    apart = times[second] - times[first]
    if not np.any(apart):
        return 0.0
    rises = (lags[second] - lags[first])[apart != 0]
    return float(np.median(rises / apart[apart != 0]) * 60_000)


def lag_report(
    heard: Sequence[Interpreted], speech_ends_ms: Sequence[float], reference_words: int | None = None
) -> LagReport:
    """A lane's lag from all it said, in order; `speech_ends_ms`: when each utterance of the speaker ended.

    AL and LAAL take each utterance as one instance, and are averaged (StreamLAAL, Papi et al. 2024); the reference's
    words are shared among them by their length in time. Raises ValueError where nothing was heard.
    """
    if not heard:
        raise ValueError("nothing was heard, so there is no lag to report")
    lags = [lag for piece in heard for lag in word_lags_ms(piece)]
    times = [piece.source_start_ms for piece in heard for _ in piece.text.split()]
    utterances = list(_utterances(heard, speech_ends_ms).values())
    spoken_ms = sum(_source_ms(pieces) for pieces in utterances)
    shares = [reference_words and max(1, round(reference_words * _source_ms(u) / spoken_ms)) for u in utterances]
    lagging = [_instance(pieces, share) for pieces, share in zip(utterances, shares, strict=True)]
    first_audio = list(first_audio_ms(heard, speech_ends_ms).values()) or [0.0]
    last_clause = list(last_clause_ms(heard, speech_ends_ms).values()) or [0.0]
    return LagReport(
        words=len(lags),
        mean_lag_ms=float(np.mean(lags)),
        p95_lag_ms=float(np.percentile(lags, 95)),
        laal_ms=float(np.mean([laal for _, laal in lagging])),
        average_lagging_ms=float(np.mean([al for al, _ in lagging])),
        slope_ms_per_min=slope_per_min(times, lags),
        first_audio_p50_ms=float(np.percentile(first_audio, 50)),
        first_audio_p95_ms=float(np.percentile(first_audio, 95)),
        last_clause_p50_ms=float(np.percentile(last_clause, 50)),
        last_clause_p95_ms=float(np.percentile(last_clause, 95)),
    )


def quality(translation: str, reference: str) -> Quality:
    """chrF2 and BLEU of a whole translation, as one segment: a stream is not cut where its reference is."""
    from sacrebleu.metrics.bleu import BLEU  # noqa: PLC0415 (a second, and only benchmarks need it)
    from sacrebleu.metrics.chrf import CHRF  # noqa: PLC0415

    return Quality(
        chrf=CHRF().sentence_score(translation, [reference]).score,
        bleu=BLEU(effective_order=True).sentence_score(translation, [reference]).score,
    )


def audible_revisions(committed: Sequence[str]) -> int:
    """How often a text that had been given to the voice was changed afterwards, instead of going on.

    `committed`: the text of one segment after each commit, in order.
    """
    return sum(after.split()[: len(before.split())] != before.split() for before, after in pairwise(committed))


def first_audio_ms(heard: Sequence[Interpreted], speech_ends_ms: Sequence[float]) -> dict[int, float]:
    """For each utterance, from its end to the first sample of its translation; 0 where that was heard before the end.

    By number of the utterance; those of which nothing was heard are left out.
    """
    return _after_ends_ms(heard, speech_ends_ms, 0)


def last_clause_ms(heard: Sequence[Interpreted], speech_ends_ms: Sequence[float]) -> dict[int, float]:
    """For each utterance, from its end to the first sample of the piece that translates its end; 0 where it is earlier.

    By number of the utterance, too.
    """
    return _after_ends_ms(heard, speech_ends_ms, -1)


def _after_ends_ms(heard: Sequence[Interpreted], speech_ends_ms: Sequence[float], which: int) -> dict[int, float]:
    ends = [*speech_ends_ms, float("inf")]  # what was said after the last utterance has no end to be late for
    utterances = _utterances(heard, speech_ends_ms)
    return {place: max(0.0, pieces[which].first_ms - ends[place]) for place, pieces in utterances.items()}


def _utterances(heard: Sequence[Interpreted], speech_ends_ms: Sequence[float]) -> dict[int, list[Interpreted]]:
    """What was heard, by the utterance in which most of its source was; those without words are left out."""
    # By the middle: a recognizer's idea of where speech ends may well be behind the true end.
    middles = [(piece.source_start_ms + piece.source_end_ms) / 2 for piece in heard]
    groups: dict[int, list[Interpreted]] = {}
    for place, piece in zip(np.searchsorted(np.asarray(speech_ends_ms, float), middles).tolist(), heard, strict=True):
        if piece.text.split():
            groups.setdefault(place, []).append(piece)
    return groups


def _source_ms(pieces: Sequence[Interpreted]) -> float:
    return max(1.0, pieces[-1].source_end_ms - pieces[0].source_start_ms)


def _instance(pieces: Sequence[Interpreted], reference_words: int | None) -> tuple[float, float]:
    begin_ms = pieces[0].source_start_ms
    delays = [onset - begin_ms for piece in pieces for onset in word_onsets_ms(piece)]
    arguments = delays, _source_ms(pieces), reference_words or len(delays)
    return average_lagging(*arguments), length_adaptive_average_lagging(*arguments)
