"""Speech for a fake recogniser: a word is a stretch of one loudness, so that a missing frame is noticed."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from appliance.units import FRAME_BYTES, FRAME_SAMPLES, FRAMES_PER_S

TEXT = "one two three four five six seven eight nine ten eleven twelve"
WORDS = TEXT.split()
WORD_FRAMES = 15
GAP_FRAMES = 5
LOUDNESS = 100  # between one word and the next


@dataclass(frozen=True)
class Spoken:
    """A word where it lies, in frames."""

    text: str
    start: int
    end: int


def frames_of(text: str, pause_s: float = 0.6) -> list[bytes]:
    """The frames of `text`, and of a pause after it."""
    frames = []
    for word in text.split():
        loud = np.full(FRAME_SAMPLES, (WORDS.index(word) + 1) * LOUDNESS, "<i2").tobytes()
        frames += [loud] * WORD_FRAMES + [bytes(FRAME_BYTES)] * GAP_FRAMES
    return frames + [bytes(FRAME_BYTES)] * int(pause_s * FRAMES_PER_S)


def loudness_of(pcm: bytes) -> list[int]:
    """One number for each whole frame; 0 is silence."""
    return np.frombuffer(pcm, "<i2")[::FRAME_SAMPLES].tolist()


def words_in(loudness: list[int], start: int, end: int) -> list[Spoken]:
    """The words in frames `start` to `end`; of a word that lacks frames, only its first two letters are heard."""
    return [
        Spoken(text if run_end - run_start == WORD_FRAMES else text[:2], run_start, run_end)
        for text, run_start, run_end in _runs(loudness, start, end)
    ]


def silent_frames(loudness: list[int], start: int, end: int) -> int:
    """How many frames at the end of `start` to `end` are silent."""
    return next((n for n, loud in enumerate(reversed(loudness[start:end])) if loud), end - start)


def _runs(loudness: list[int], start: int, end: int) -> Iterator[tuple[str, int, int]]:
    begun = start
    for place in range(start + 1, end + 1):
        if place == end or loudness[place] != loudness[begun]:
            if loudness[begun]:
                yield WORDS[loudness[begun] // LOUDNESS - 1], begun, place
            begun = place
