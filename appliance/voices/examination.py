"""Recordings as a technician asks about them: decoded, measured, and what to record again."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from appliance.voices.intake import read_all
from appliance.voices.profile import Quality
from appliance.voices.quality import Advice, advise, measure, together


class Examined(msgspec.Struct, frozen=True):
    """One recording."""

    name: str
    seconds: float
    rate_hz: int
    quality: Quality


class Examination(msgspec.Struct, frozen=True):
    """All of them. `good`: a voice can be made of these."""

    good: bool
    recordings: tuple[Examined, ...]
    together: Quality
    advice: tuple[Advice, ...]


def examine(paths: Iterable[Path]) -> Examination:
    """Decode and measure files, 10 minutes in all at most. Raises RecordingRefused."""
    recordings = tuple(
        Examined(one.name, one.seconds, one.rate_hz, measure(one.samples, one.rate_hz)) for one in read_all(paths)
    )
    advice = tuple(advise([(one.name, one.quality) for one in recordings]))
    good = not any(one.refuses for one in advice)
    return Examination(good, recordings, together([one.quality for one in recordings]), advice)
