"""Under-talk: the original speaker, softly under the translation, so that the line is never dead."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from appliance.media.mixer import mix_softly
from appliance.units import FRAME_MS, FRAME_SAMPLES

DEFAULT_DB = -18.0
DUCK_DB = -12.0  # quieter by so much more while the translation speaks
DUCK_MS = 60
RETURN_MS = 600  # slow: the original must not jump up in every pause between two clauses
HOLD_MS = 300
SILENT_DB = -60.0  # from where an original rises that was not heard at all
INAUDIBLE = 64  # of 32768: -54 dB, which the noise of a telephone line covers

# Ducking goes up and down in whole steps, so that there are few gains, and all of them are computed once.
_STEPS_DOWN = RETURN_MS // DUCK_MS  # in one frame
_DUCKED = RETURN_MS // FRAME_MS


class UnderTalk:
    """One listener's mix of a translation and its original. `level_db` is None for off.

    Raises ValueError for a level above 0 dB.
    """

    def __init__(self, level_db: float | None = DEFAULT_DB) -> None:
        if level_db is not None and level_db > 0:
            raise ValueError(f"under-talk is at most 0 dB, as loud as the original, not {level_db:g} dB")
        self._level_db = level_db
        self._ducked = 0  # steps, up to _DUCKED
        self._ducked_before = 0
        self._hold_ms = 0

    @property
    def is_on(self) -> bool:
        """Whether an original is heard although its translation is."""
        return self._level_db is not None

    def mix(self, translation: bytes | None, original: bytes | None) -> bytes | None:
        """20 ms of what the listener hears; None is silence, in what goes in and in what comes out."""
        self._ducked_before = self._ducked
        self._duck(speaking=translation is not None)
        if original is None or self._level_db is None:
            return translation
        return mix_softly(original, _gains(self._level_db, self._ducked_before, self._ducked), translation)

    def raise_over(self, heard: bytes | None, original: bytes, before: float, now: float) -> bytes:
        """An original that nobody can translate, over what `mix` gave for this tick.

        It is as soft as it was where `now` is 0, and at full level where it is 1; `before` is `now` of the last tick.
        """
        soft_db = SILENT_DB if self._level_db is None else self._level_db
        ducked = (self._ducked_before, self._ducked)
        return mix_softly(original, _raised_gains(soft_db, ducked, before, now), heard)

    def _duck(self, speaking: bool) -> None:
        if speaking:
            self._hold_ms = HOLD_MS
        elif self._hold_ms:
            self._hold_ms -= FRAME_MS
        if self._hold_ms:
            self._ducked = min(_DUCKED, self._ducked + _STEPS_DOWN)
        elif self._ducked:
            self._ducked -= 1


def least_audible(level_db: float) -> int:
    """From which magnitude on, 1 to 32768, a sample of the original can be heard in the mix."""
    return min(32768, max(1, round(INAUDIBLE / 10 ** (level_db / 20))))


@lru_cache(maxsize=1024)
def _gains(level_db: float, before: int, ducked: int) -> NDArray[np.float32]:
    """The gain of each sample of a frame: a straight line in dB from the last frame's end."""
    steps = np.linspace(before, ducked, FRAME_SAMPLES, dtype=np.float32)
    gains: NDArray[np.float32] = np.power(np.float32(10), (level_db + steps * DUCK_DB / _DUCKED) / np.float32(20))
    return gains


@lru_cache(maxsize=1024)
def _raised_gains(soft_db: float, ducked: tuple[int, int], before: float, now: float) -> NDArray[np.float32]:
    """As `_gains`, from the soft level towards 0 dB by the shares `before` and `now`."""
    first_db, last_db = (soft_db + steps * DUCK_DB / _DUCKED for steps in ducked)
    levels_db = np.linspace(first_db * (1 - before), last_db * (1 - now), FRAME_SAMPLES, dtype=np.float32)
    gains: NDArray[np.float32] = np.power(np.float32(10), levels_db / np.float32(20))
    return gains
