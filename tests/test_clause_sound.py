"""A clause's sound, piece by piece: what is heard is what the whole would sound like."""

import numpy as np
import pytest

from appliance.engines.protocols import Speech
from appliance.media.resample import resample
from appliance.speech.trimming import trimmed
from appliance.stages.clause_sound import MOST_MARGIN_MS, ClauseSound, may_begin, next_margin_ms
from appliance.units import NS_PER_MS

SPOKEN = np.concatenate(
    (np.zeros(3_000), 0.5 * np.sin(np.arange(30_000) * 0.11), np.zeros(9_000), 0.4 * np.sin(np.arange(7_000) * 0.2))
).astype(np.float32)


@pytest.mark.parametrize("rate_hz", [16_000, 24_000])
@pytest.mark.parametrize("pieces", [1, 7, 40])
def test_in_pieces_it_is_the_whole(rate_hz: int, pieces: int) -> None:
    sound = ClauseSound(0)
    told = [sound.push(Speech(piece, rate_hz), 0) for piece in np.array_split(SPOKEN, pieces)]
    whole = np.concatenate((*told, sound.finish()))
    expected = trimmed(resample(SPOKEN, rate_hz), 16_000)
    assert len(whole) == len(expected) == sound.samples
    assert np.abs(whole - expected).max() < 1e-6


def test_the_first_sound_is_there_with_its_first_piece() -> None:
    sound = ClauseSound(0)
    assert len(sound.push(Speech(SPOKEN[3_000:7_800], 24_000), 0)) > 16 * 140  # 200 ms; 20 of them are the resampler's


@pytest.mark.parametrize(
    ("pieces_ms", "lead_ms", "late_ms"),
    [
        ([(900, 2_000)], 900, 0),  # in one piece: when it is there
        ([(200, 150), (300, 1_000), (1_200, 1_000)], 200, 0),  # each before the one before it has been heard
        ([(200, 150), (500, 1_000)], 350, 150),
    ],
)
def test_what_it_takes_is_how_long_a_listener_had_to_wait(
    pieces_ms: list[tuple[int, int]], lead_ms: int, late_ms: int
) -> None:
    sound = ClauseSound(5 * NS_PER_MS)
    for came_ms, lasts_ms in pieces_ms:
        sound.push(Speech(np.zeros(16 * lasts_ms, np.float32), 16_000), (5 + came_ms) * NS_PER_MS)
    assert sound.lead_ns == lead_ms * NS_PER_MS
    assert sound.late_ns == late_ms * NS_PER_MS
    assert sound.took_ns == (pieces_ms[-1][0] - sum(came_ms for came_ms, _ in pieces_ms[-2:-1])) * NS_PER_MS


@pytest.mark.parametrize(
    ("margin_ms", "late_ms", "after_ms"),
    [
        (0, 0, 0),  # an engine that gives its clauses whole, or quicker than they are heard, is never kept back
        (0, 150, 150),
        (150, 200, 200),
        (150, 0, 75),  # it has caught up
        (0, 5_000, MOST_MARGIN_MS),
    ],
)
def test_after_a_hole_the_next_clauses_begin_a_little_later(margin_ms: float, late_ms: float, after_ms: float) -> None:
    assert next_margin_ms(margin_ms, late_ms) == after_ms


@pytest.mark.parametrize(
    ("waited_ms", "margin_ms", "there_ms", "took_ms", "begins"),
    [
        (0, 0, 140, 60, True),  # quicker than it is heard: at once
        (0, 0, 140, 300, False),  # the next piece would be too late
        (200, 0, 500, 200, True),  # now there is enough
        (50, 150, 140, 60, False),  # the last clause ran dry
        (150, 150, 140, 60, True),
        (MOST_MARGIN_MS, MOST_MARGIN_MS, 140, 2_000, True),  # slower than speech: waiting longer would not help
    ],
)
def test_a_clause_begins_when_it_will_not_run_dry(
    waited_ms: float, margin_ms: float, there_ms: float, took_ms: float, begins: bool
) -> None:
    assert may_begin(waited_ms, margin_ms, there_ms, took_ms) is begins
