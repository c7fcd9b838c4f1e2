"""Silence at the ends of speech."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.speech.trimming import LEAD_MS, TRAIL_MS, Trimmer, silence, trimmed


def tone(duration_ms: int, rate_hz: int) -> np.ndarray:
    return (0.5 * np.sin(np.arange(rate_hz * duration_ms // 1000) * 0.3)).astype(np.float32)


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 24_000])
@pytest.mark.parametrize(("lead_ms", "trail_ms"), [(0, 0), (300, 0), (0, 500), (350, 550)])
def test_what_remains_is_the_speech_and_a_little_around_it(rate_hz: int, lead_ms: int, trail_ms: int) -> None:
    spoken = np.concatenate((silence(lead_ms, rate_hz), tone(400, rate_hz), silence(trail_ms, rate_hz)))
    kept_ms = 1000 * len(trimmed(spoken, rate_hz)) / rate_hz
    assert 400 <= kept_ms <= 400 + LEAD_MS + TRAIL_MS + 20  # the windows that the ends fall into


def test_a_pause_inside_stays() -> None:
    spoken = np.concatenate((tone(200, 16_000), silence(300, 16_000), tone(200, 16_000)))
    assert len(trimmed(spoken, 16_000)) >= 0.7 * 16_000


def test_both_ends_begin_at_zero_so_that_nothing_clicks() -> None:
    kept = trimmed(np.ones(3200, np.float32), 16_000)
    assert kept[0] == kept[-1] == 0
    assert kept.max() == 1
    assert np.abs(np.diff(kept)).max() < 0.02


@pytest.mark.parametrize("count", [0, 1, 500])
def test_silence_leaves_nothing(count: int) -> None:
    assert len(trimmed(np.full(count, 0.005, np.float32), 16_000)) == 0


def test_one_sample_of_sound_survives() -> None:
    assert len(trimmed(np.array([0.5], np.float32), 16_000)) == 1


# --- while it is being made ---

LOUD, QUIET = 0.5, 0.004


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 900)), max_size=8), st.lists(st.integers(1, 700), max_size=20))
def test_bit_by_bit_it_is_what_is_made_of_the_whole(stretches: list[tuple[bool, int]], bits: list[int]) -> None:
    spoken = np.concatenate(
        [np.zeros(0, np.float32), *(np.full(count, LOUD if loud else QUIET, np.float32) for loud, count in stretches)]
    )
    trimmer = Trimmer(16_000)
    told = [trimmer.push(bit) for bit in np.split(spoken, np.cumsum(bits))]
    assert np.array_equal(np.concatenate((*told, trimmer.finish())), trimmed(spoken, 16_000))


def test_little_is_kept_back_while_somebody_speaks() -> None:
    trimmer, told = Trimmer(16_000), 0
    for number in range(1, 20):
        told += len(trimmer.push(tone(100, 16_000)))
        assert told >= 1_600 * number - 320
