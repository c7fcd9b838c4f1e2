"""Two short notes that say that something has changed: falling or rising, in the middle of a telephone's band."""

import numpy as np

from appliance.units import FRAME_BYTES, FRAME_SAMPLES, SAMPLE_RATE_HZ

LOW_HZ = 440
HIGH_HZ = 660  # a fifth above; together or alone no signal of a fax, a modem or a keypad
NOTE_FRAMES = 5
FADE_SAMPLES = SAMPLE_RATE_HZ * 10 // 1000
FULL_SCALE = 32_767


def two_notes(rising: bool, level_db: float) -> list[bytes]:
    """The frames of two notes of 100 ms whose peaks are `level_db` (at most 0) below full scale."""
    pitches = (LOW_HZ, HIGH_HZ) if rising else (HIGH_HZ, LOW_HZ)
    pcm = b"".join(_note(pitch_hz, level_db) for pitch_hz in pitches)
    return [pcm[first : first + FRAME_BYTES] for first in range(0, len(pcm), FRAME_BYTES)]


def _note(pitch_hz: int, level_db: float) -> bytes:
    count = NOTE_FRAMES * FRAME_SAMPLES
    sound = np.sin(2 * np.pi * pitch_hz * np.arange(count) / SAMPLE_RATE_HZ)
    fade = (1 - np.cos(np.pi * np.arange(FADE_SAMPLES) / FADE_SAMPLES)) / 2
    sound[:FADE_SAMPLES] *= fade
    sound[-FADE_SAMPLES:] *= fade[::-1]
    return (sound * FULL_SCALE * 10 ** (level_db / 20)).astype("<i2").tobytes()
