"""Listening to what a phone received: cut it at the translations that were sent to it, and transcribe each piece."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile

from appliance.demo.picture import Track
from appliance.demo.report import Utterance
from appliance.engines.protocols import Recognizer
from appliance.units import SAMPLE_RATE_HZ

LONGEST_MS = 28_000.0  # what Whisper takes in at once
EARLY_MS = 200.0  # the recording's time axis is that good


def load_heard(path: Path, start_ms: float) -> Track:
    """A softphone's recording; `start_ms`: when its first sample was, from the start of the call."""
    samples, rate_hz = soundfile.read(path, dtype="int16")
    return Track(samples, rate_hz, start_ms)


def transcripts(track: Track, received: Sequence[Utterance], recognizer: Recognizer) -> list[str]:
    """What `recognizer` understands of each translation on `track` (16 kHz); all of them must have been sent.

    A piece lasts from the first audio of its translation to that of the next.
    """
    begins_ms = [utterance.first_audio_ms - EARLY_MS for utterance in received if utterance.first_audio_ms is not None]
    ends_ms = [min(following, begin + LONGEST_MS) for begin, following in pairwise([*begins_ms, float("inf")])]
    return [
        recognizer.recognize(_cut(track, begin_ms, end_ms), utterance.target_language).text
        for utterance, begin_ms, end_ms in zip(received, begins_ms, ends_ms, strict=True)
    ]


def _cut(track: Track, begin_ms: float, end_ms: float) -> "np.typing.NDArray[np.float32]":
    first, last = (int((instant - track.start_ms) * SAMPLE_RATE_HZ / 1000) for instant in (begin_ms, end_ms))
    return track.samples[max(0, first) : max(0, last)].astype(np.float32) / np.float32(32768)
