"""The notes that announce a change."""

import numpy as np
import pytest

from appliance.media.tone import HIGH_HZ, LOW_HZ, NOTE_FRAMES, two_notes
from appliance.units import FRAME_BYTES, FRAME_SAMPLES, SAMPLE_RATE_HZ


def pitches(frames: list[bytes]) -> list[float]:
    sound = np.frombuffer(b"".join(frames), "<i2").astype(float)
    halves = sound.reshape(2, -1)
    return [float(np.argmax(np.abs(np.fft.rfft(half))) * SAMPLE_RATE_HZ / half.size) for half in halves]


@pytest.mark.parametrize(("rising", "expected"), [(True, (LOW_HZ, HIGH_HZ)), (False, (HIGH_HZ, LOW_HZ))])
def test_up_rises_and_down_falls(rising, expected):
    assert pitches(two_notes(rising, -20)) == [pytest.approx(pitch_hz, abs=10) for pitch_hz in expected]


@pytest.mark.parametrize("level_db", [0, -6, -24, -60])
def test_they_are_as_loud_as_told_and_short_and_begin_and_end_in_silence(level_db):
    frames = two_notes(True, level_db)
    assert [len(frame) for frame in frames] == [FRAME_BYTES] * 2 * NOTE_FRAMES
    sound = np.frombuffer(b"".join(frames), "<i2").astype(float)
    assert np.abs(sound).max() == pytest.approx(32_767 * 10 ** (level_db / 20), abs=1.5, rel=0.01)
    assert np.abs(sound[[0, -1, NOTE_FRAMES * FRAME_SAMPLES]]).max() <= 1
