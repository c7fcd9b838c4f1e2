"""Speech goes faster at the same pitch, for exactly as long as it should, and nothing clicks."""

import numpy as np
import pytest

from appliance.media.time_stretch import BLOCK_MS, FASTEST, SEARCH_MS, TimeStretch
from appliance.units import FRAME_SAMPLES, SAMPLE_RATE_HZ

SLACK = SAMPLE_RATE_HZ * (BLOCK_MS + 2 * SEARCH_MS) // 1000


def tone(hz: float, seconds: float, level: float = 8_000) -> np.ndarray:
    times = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return np.rint(level * np.sin(2 * np.pi * hz * times)).astype(np.int16)


def vowels(seconds: float, pitch_hz: float = 110) -> np.ndarray:
    """Like speech: pulses of a gliding pitch through two resonances, syllables of 150 ms, and breath between them."""
    rng = np.random.default_rng(1)
    times = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    phase = np.cumsum(pitch_hz * (1 + 0.1 * np.sin(2 * np.pi * 0.7 * times))) / SAMPLE_RATE_HZ
    harmonics = [np.sin(2 * np.pi * n * phase) / (1 + abs(n * pitch_hz - 700) / 200) for n in range(1, 25)]
    syllables = np.clip(np.sin(2 * np.pi * 3.3 * times) + 0.4, 0, 1)
    breath = rng.normal(0, 0.02, len(times))
    return np.rint(4_000 * (np.sum(harmonics, axis=0) * syllables + breath)).astype(np.int16)


def stretch(signal: np.ndarray, speed: float, stretcher: TimeStretch | None = None) -> np.ndarray:
    stretcher = stretcher or TimeStretch()
    stretcher.speed = speed
    parts = [stretcher.push(signal[at : at + FRAME_SAMPLES]) for at in range(0, len(signal), FRAME_SAMPLES)]
    return np.concatenate([*parts, stretcher.flush()])


def pitch_hz(signal: np.ndarray) -> float:
    """The strongest frequency, interpolated between the bins of a windowed spectrum."""
    spectrum = np.abs(np.fft.rfft(signal * np.hanning(len(signal))))
    peak = int(np.argmax(spectrum))
    left, top, right = np.log(spectrum[peak - 1 : peak + 2])
    return float((peak + 0.5 * (left - right) / (left - 2 * top + right)) * SAMPLE_RATE_HZ / len(signal))


def test_at_normal_speed_it_comes_out_as_it_went_in():
    signal = vowels(1.0)
    assert np.array_equal(stretch(signal, 1.0), signal)


@pytest.mark.parametrize("speed", [1.05, 1.1, 1.25])
@pytest.mark.parametrize("hz", [90, 220, 440, 1_000])
def test_a_tone_keeps_its_pitch_and_its_level(speed, hz):
    heard = stretch(tone(hz, 3.0), speed)
    middle = heard[SLACK:-SLACK]
    assert pitch_hz(middle) == pytest.approx(hz, rel=0.003)
    blocks = middle[: len(middle) // 1_600 * 1_600].reshape(-1, 1_600).astype(float)
    assert np.sqrt(np.mean(blocks**2, axis=1)).min() > 0.97 * 8_000 / np.sqrt(2)


@pytest.mark.parametrize("speed", [1.0, 1.03, 1.1, 1.25, FASTEST])
def test_it_takes_as_long_as_the_speed_says(speed):
    signal = vowels(4.0)
    assert len(stretch(signal, speed)) == pytest.approx(len(signal) / speed, abs=SLACK)


def test_the_rhythm_of_speech_is_kept():
    """The loudness of the fast speech is the loudness of the speech, at the speed's places."""
    signal = vowels(3.0)
    heard = stretch(signal, 1.25)
    places = np.arange(0, len(heard) - 320, 320)
    loud = [np.sqrt(np.mean(heard[at : at + 320].astype(float) ** 2)) for at in places]
    expected = [np.sqrt(np.mean(signal[int(at * 1.25) :][:320].astype(float) ** 2)) for at in places]
    assert np.corrcoef(loud, expected)[0, 1] > 0.95


def test_nothing_clicks_where_the_speed_changes():
    """A tone stays a tone: its second difference never exceeds what the tone itself has."""
    signal, stretcher = tone(200, 6.0), TimeStretch()
    heard = []
    for place, at in enumerate(range(0, len(signal), FRAME_SAMPLES)):
        stretcher.speed = (1.0, 1.25, 1.02, 1.2, 1.0, 1.1)[place // 50]
        heard.append(stretcher.push(signal[at : at + FRAME_SAMPLES]))
    bend = np.abs(np.diff(np.concatenate(heard).astype(float), 2)).max()
    assert bend < 1.3 * np.abs(np.diff(signal.astype(float), 2)).max()


def test_speech_is_not_louder_at_its_edges_than_before():
    signal = vowels(3.0)
    steps, before = (np.abs(np.diff(s.astype(float))).max() for s in (stretch(signal, 1.25), signal))
    assert steps < 1.2 * before


def test_silence_stays_silence():
    assert not np.any(stretch(np.zeros(16_000, np.int16), 1.25))


def test_how_the_signal_is_cut_into_pushes_changes_nothing():
    signal, stretcher = vowels(1.5), TimeStretch()
    stretcher.speed = 1.2
    rng = np.random.default_rng(2)
    cuts = np.sort(rng.integers(0, len(signal), 40))
    heard = np.concatenate([*(stretcher.push(part) for part in np.split(signal, cuts)), stretcher.flush()])
    assert np.array_equal(heard, stretch(signal, 1.2))


def test_little_is_held_back():
    stretcher = TimeStretch()
    stretcher.speed = 1.25
    for at in range(0, 16_000, FRAME_SAMPLES):
        stretcher.push(vowels(1.0)[at : at + FRAME_SAMPLES])
        assert stretcher.held <= SLACK + FRAME_SAMPLES


@pytest.mark.parametrize("speed", [0.9, 1.6])
def test_speeds_it_cannot_do_are_refused(speed):
    stretcher = TimeStretch()
    stretcher.speed = speed
    with pytest.raises(ValueError, match=r"the speed is 1\.0 to 1\.5"):
        stretcher.push(np.zeros(320, np.int16))
