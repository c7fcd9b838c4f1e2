"""What people may hand to the demo as speech, and the sentence they get when it cannot be used."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from appliance.demo.say import SayError, load_turn, parse_say


def tone(seconds: float, rate_hz: int, channels: int = 1) -> np.ndarray:
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate_hz)) / rate_hz)
    return np.repeat(wave[:, None], channels, axis=1)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_rate_and_channel_count_becomes_16_khz_mono(tmp_path: Path, rate_hz: int, channels: int) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(1.0, rate_hz, channels), rate_hz)
    turn = load_turn("en", path)
    assert turn.samples.ndim == 1
    assert abs(turn.duration_s - 1.0) < 0.001
    spectrum = np.abs(np.fft.rfft(turn.samples))
    assert abs(np.argmax(spectrum) * 16_000 / len(turn.samples) - 440) < 2


def write_nothing(path: Path) -> None:
    soundfile.write(path, np.zeros(0), 16_000)


def write_silence(path: Path) -> None:
    soundfile.write(path, np.zeros(16_000), 16_000)


def write_text(path: Path) -> None:
    path.write_text("this is no recording")


def write_cut_header(path: Path) -> None:
    soundfile.write(path, tone(1, 16_000), 16_000)
    path.write_bytes(path.read_bytes()[:20])


def write_a_lecture(path: Path) -> None:
    soundfile.write(path, tone(61, 8_000), 8_000)


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (write_nothing, "empty"),
        (write_silence, "silent"),
        (write_text, "not a recording"),
        (write_cut_header, "not a recording"),
        (write_a_lecture, "longer than 60 s"),
        (lambda _path: None, "no such file"),
    ],
)
def test_an_unusable_recording_gets_one_sentence_with_its_name(tmp_path: Path, write, says: str) -> None:
    path = tmp_path / "speech.wav"
    write(path)
    with pytest.raises(SayError, match=says) as refusal:
        load_turn("en", path)
    assert "speech.wav" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_say_is_a_language_and_a_file() -> None:
    assert parse_say("pt-BR:dir/a:b.wav") == ("pt-br", Path("dir/a:b.wav"))
    for wrong in ("hello.wav", ":hello.wav", "en:"):
        with pytest.raises(SayError, match="LANGUAGE:FILE"):
            parse_say(wrong)
