"""What `bench lag` says: recordings in one stream, and where in it each was voiced."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from appliance.bench.lag_speech import LEAD_S, sound_files, stream_of, voiced
from appliance.demo.say import SayError


def tone(seconds: float, level: float = 0.3) -> np.ndarray:
    return level * np.sin(2 * np.pi * 300 * np.arange(round(seconds * 16_000)) / 16_000)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two recordings: 1 s of tone between silences of 0.2 and 0.4 s, and 0.5 s of tone."""
    soundfile.write(tmp_path / "b.wav", tone(0.5), 16_000)
    soundfile.write(
        tmp_path / "a.wav", np.concatenate((np.zeros(3_200), tone(1.0), np.zeros(6_400))), 16_000, subtype="FLOAT"
    )
    (tmp_path / "notes.txt").write_text("not a recording")
    return [tmp_path / "a.wav", tmp_path / "b.wav"]


def test_a_folder_gives_its_recordings_by_name(files: list[Path]) -> None:
    assert sound_files([files[0].parent]) == files
    assert sound_files([files[1], files[0]]) == [files[1], files[0]]


def test_no_recording_is_said_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SayError, match="at least one recording"):
        sound_files([tmp_path])


def test_recordings_are_read_one_after_another(files: list[Path]) -> None:
    stream = stream_of(files, "en", pause_s=0.3)
    first, second = stream.recordings
    lead_ms = 1000 * LEAD_S
    assert (first.name, first.begin_ms, first.end_ms) == ("a.wav", lead_ms + 200, lead_ms + 1_200)
    assert (second.begin_ms, second.end_ms) == (lead_ms + 1_900, lead_ms + 2_400)
    assert stream.minutes == pytest.approx((LEAD_S + 1.6 + 0.3 + 0.5 + 0.3) / 60)
    loud = np.flatnonzero(np.abs(stream.samples.astype(int)) > 2_000) / 16
    assert loud[0] == pytest.approx(first.begin_ms, abs=1)
    assert not np.any((loud > first.end_ms) & (loud < second.begin_ms))


def test_a_stream_begins_again_until_it_has_lasted_long_enough(files: list[Path]) -> None:
    once = stream_of(files, "en", pause_s=0.3)
    longer = stream_of(files, "en", pause_s=0.3, minutes=0.1)
    assert [each.name for each in longer.recordings] == ["a.wav", "b.wav"] * 3
    assert longer.minutes >= 0.1
    assert longer.recordings[2].begin_ms - once.recordings[0].begin_ms == 2_700


def test_hum_below_speech_is_not_speech() -> None:
    samples = np.concatenate((tone(0.5, 0.002), tone(0.5), tone(0.5, 0.002)))
    assert voiced((samples * 32_767).astype(np.int16)) == (500, 1_000)
