"""The manner of speaking in 64 numbers: each moves when what it is about moves, and little else does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from appliance.media.resample import resample
from appliance.voices.profile import STYLE_SLOT
from appliance.voices.prosody import MODEL, MOST, statistics, style, syllables_s
from appliance.voices.statistics import STATISTICS
from appliance.voices.tracks import HOP_S, RATE_HZ, track


def voice(pitch_hz=120.0, seconds=4.0, rate=4.0, tilt_db=-6.0, pause_s=0.0, glide_st=0.0, loudness=0.1):
    """Somebody who says "mamama": harmonics that fall by `tilt_db` an octave, `rate` syllables a second.

    The pitch glides by `glide_st` semitones a second; in the middle there is a pause.
    """
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(pitch_hz * 2 ** (glide_st * times / 12)) / RATE_HZ
    count = int(7000 / (pitch_hz * 2 ** (max(glide_st, 0) * seconds / 12)))
    sound = sum(np.sin(k * phase + k * k) * 10 ** (tilt_db * np.log2(k) / 20) for k in range(1, count + 1))
    sound *= 0.55 - 0.45 * np.cos(2 * np.pi * rate * times)
    sound[np.abs(times - seconds / 2) < pause_s / 2] = 0
    noise = np.random.default_rng(1).normal(size=len(times)) * 1e-5
    return (loudness * sound / np.abs(sound).max() + noise).astype(np.float32)


def counted(**what):
    return statistics(track(voice(**what), RATE_HZ))


def test_there_are_64_of_them_each_documented():
    assert len({one.name for one in STATISTICS}) == len(STATISTICS) == STYLE_SLOT
    assert all(one.says and one.spread > 0 for one in STATISTICS)


def test_every_one_is_measured_in_ordinary_speech():
    tracks = track(voice(pause_s=0.47), RATE_HZ)
    names = [one.name for one in STATISTICS]
    assert list(statistics(tracks)) == names
    typical = {one.name: one.typical for one in STATISTICS}
    assert [name for name, value in statistics(tracks).items() if value == typical[name]] == []


@pytest.mark.parametrize("pitch_hz", [75, 100, 140, 200, 300, 450])
def test_pitch_is_right_to_a_tenth_of_a_semitone(pitch_hz):
    assert counted(pitch_hz=pitch_hz)["pitch_p50"] == pytest.approx(12 * np.log2(pitch_hz / 100), abs=0.1)


@pytest.mark.parametrize("glide_st", [-3.0, -1.0, 0.0, 2.0])
def test_the_melody_rises_and_falls(glide_st):
    found = counted(glide_st=glide_st)
    assert found["pitch_slope"] == pytest.approx(glide_st, abs=0.1)
    assert found["pitch_end_slope"] == pytest.approx(glide_st, abs=0.5)


@pytest.mark.parametrize("rate", [2.5, 4.0, 6.0])
def test_syllables_are_counted(rate):
    assert counted(rate=rate)["syllable_rate"] == pytest.approx(rate, rel=0.1)
    nuclei = syllables_s(track(voice(rate=rate), RATE_HZ))
    np.testing.assert_allclose(np.diff(nuclei), 1 / rate, atol=3 * HOP_S)


def test_a_pause_is_seen():
    paused, fluent = counted(pause_s=0.6), counted()
    assert paused["pause_longest"] == pytest.approx(0.6, abs=0.25)
    assert paused["pause_rate"] == pytest.approx(0.25, abs=0.05)
    assert (fluent["pause_longest"], fluent["pause_share"]) == (0, 0)


def test_a_pressed_voice_falls_less_steeply():
    assert counted(tilt_db=-4)["tilt_mean"] > counted(tilt_db=-8)["tilt_mean"] + 2


def test_the_recording_level_is_no_matter_of_style():
    quiet, loud = (style(voice(loudness=loudness), RATE_HZ) for loudness in (0.05, 0.4))
    assert quiet is not None
    assert loud is not None
    np.testing.assert_allclose(quiet.numbers(), loud.numbers(), atol=0.35)


def test_nor_is_the_sample_rate():
    one = style(voice(), RATE_HZ)
    other = style(resample(voice(), RATE_HZ, 48_000), 48_000)
    assert one is not None
    assert other is not None
    assert np.linalg.norm(one.numbers() - other.numbers()) < 2.5


def test_the_same_manner_is_nearer_than_another():
    def vector(**what):
        found = style(voice(**what), RATE_HZ)
        assert found is not None
        return found.numbers()

    calm, calm_too = vector(rate=3, tilt_db=-9, glide_st=-1), vector(rate=3.2, tilt_db=-8.5, glide_st=-1.2, seconds=3)
    excited = vector(rate=6, tilt_db=-4, pitch_hz=220, glide_st=2)
    assert np.linalg.norm(calm - calm_too) < 0.5 * np.linalg.norm(calm - excited)


def test_the_vector_says_where_it_comes_from():
    found = style(voice(), RATE_HZ)
    assert found is not None
    assert (found.model, found.width, found.vector.shape) == (MODEL, 64, (64,))


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.2])
def test_too_little_speech_has_no_style(seconds):
    assert style(voice(seconds=4)[: round(seconds * RATE_HZ)], RATE_HZ) is None
    assert style(np.zeros(RATE_HZ, np.float32), RATE_HZ) is None


@settings(max_examples=50, deadline=None)
@given(
    hnp.arrays(np.float32, st.integers(0, 12_000), elements=st.floats(-1, 1, width=32)), st.sampled_from([8000, 16_000])
)
def test_any_sound_has_a_vector_within_bounds_or_none(samples, rate_hz):
    found = style(samples, rate_hz)
    assert found is None or np.abs(found.numbers()).max() <= MOST
