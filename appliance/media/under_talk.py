"""Under-talk: the original speaker, softly under the translation, so that the line is never dead."""

import numpy as np
from numpy.typing import NDArray

from appliance.units import FRAME_MS, FRAME_SAMPLES

DEFAULT_DB = -18.0
DUCK_DB = -12.0  # quieter by so much more while the translation speaks
DUCK_MS = 60
RETURN_MS = 600  # slow: the original must not jump up in every pause between two clauses
HOLD_MS = 300

_INT16 = np.dtype("<i2")


class UnderTalk:
    """One listener's mix of a translation and its original. `level_db` is None for off.

    Raises ValueError for a level above 0 dB.
    """

    def __init__(self, level_db: float | None = DEFAULT_DB) -> None:
        if level_db is not None and level_db > 0:
            raise ValueError(f"under-talk is at most 0 dB, as loud as the original, not {level_db:g} dB")
        self._level_db = level_db
        self._duck_db = 0.0  # 0 … DUCK_DB, where it is now
        self._hold_ms = 0

    def mix(self, translation: bytes | None, original: bytes | None) -> bytes | None:
        """20 ms of what the listener hears; None is silence, in what goes in and in what comes out."""
        gains = self._gains(speaking=translation is not None)
        if original is None or gains is None:
            return translation
        soft = np.frombuffer(original, _INT16) * gains
        if translation is not None:
            soft += np.frombuffer(translation, _INT16)
        mixed: bytes = np.rint(soft).clip(-32768, 32767).astype(_INT16).tobytes()
        return mixed

    def _gains(self, speaking: bool) -> NDArray[np.float32] | None:
        """The gain of each sample of this frame: a straight line in dB from the last frame's end."""
        before_db = self._duck_db
        self._hold_ms = HOLD_MS if speaking else max(0, self._hold_ms - FRAME_MS)
        if self._hold_ms:
            self._duck_db = max(DUCK_DB, before_db + DUCK_DB * FRAME_MS / DUCK_MS)
        else:
            self._duck_db = min(0.0, before_db - DUCK_DB * FRAME_MS / RETURN_MS)
        if self._level_db is None:
            return None
        ramp_db = self._level_db + np.linspace(before_db, self._duck_db, FRAME_SAMPLES, dtype=np.float32)
        gains: NDArray[np.float32] = np.power(np.float32(10), ramp_db / np.float32(20))
        return gains
