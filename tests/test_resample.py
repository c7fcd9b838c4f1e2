"""Sample rates: duration, pitch and level stay, and chunks leave no seam."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.media.resample import Resampler, resample

RATES_HZ = (8_000, 16_000, 22_050, 24_000, 48_000)


def tone(rate_hz: int, seconds: float = 1.0, frequency_hz: float = 1_000) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(int(rate_hz * seconds)) / rate_hz)).astype(np.float32)


@pytest.mark.parametrize("target_hz", RATES_HZ)
@pytest.mark.parametrize("source_hz", RATES_HZ)
def test_a_tone_keeps_duration_pitch_and_level(source_hz, target_hz):
    heard = resample(tone(source_hz), source_hz, target_hz)
    assert len(heard) == target_hz
    middle = slice(target_hz // 10, -target_hz // 10)
    assert np.max(np.abs(heard[middle] - tone(target_hz)[middle])) < 0.01


def test_what_the_new_rate_cannot_carry_does_not_come_back_as_another_tone():
    heard = resample(tone(48_000, frequency_hz=11_000), 48_000, 16_000)
    assert np.max(np.abs(heard[1_000:-1_000])) < 0.001


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(RATES_HZ), st.lists(st.integers(0, 3_000), min_size=1, max_size=12))
def test_chunks_leave_no_seam(source_hz, lengths):
    whole = np.resize(tone(source_hz), sum(lengths))
    resampler = Resampler(source_hz)
    chunks = [resampler.push(part) for part in np.split(whole, np.cumsum(lengths)[:-1])]
    heard = np.concatenate([*chunks, resampler.flush()])
    np.testing.assert_allclose(heard, resample(whole, source_hz), atol=1e-6)


def test_after_a_flush_a_new_signal_begins():
    resampler = Resampler(8_000)
    once = np.concatenate((resampler.push(tone(8_000)), resampler.flush()))
    again = np.concatenate((resampler.push(tone(8_000)), resampler.flush()))
    np.testing.assert_array_equal(once, again)


@pytest.mark.parametrize("rate_hz", [0, -8_000])
def test_a_rate_that_is_none_is_refused(rate_hz):
    with pytest.raises(ValueError, match="more than 0 Hz"):
        Resampler(rate_hz)
