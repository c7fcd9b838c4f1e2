"""Speech as the vocoder gives it, to the frames of the house: 24 to 16 kHz, 16 bit, 640 bytes, without a seam."""

import numpy as np

from appliance.media.resample import Resampler, Samples
from appliance.units import FRAME_BYTES

FULL_SCALE = 32_767


class FrameMaker:
    """One utterance, piece by piece. What `push` gives trails by the resampler's 20 ms; `finish` gives the rest."""

    def __init__(self, rate_hz: int = 24_000) -> None:
        self._resampler = Resampler(rate_hz)
        self._rest = b""

    def push(self, samples: Samples) -> list[bytes]:
        """The next samples at `rate_hz` in, the frames that are whole out."""
        return self._frames(self._resampler.push(samples))

    def finish(self) -> list[bytes]:
        """The last frames, the very last filled up with silence. The next `push` begins another utterance."""
        frames = self._frames(self._resampler.flush())
        if self._rest:
            frames.append(self._rest.ljust(FRAME_BYTES, b"\0"))
            self._rest = b""
        return frames

    def _frames(self, samples: Samples) -> list[bytes]:
        scaled = np.rint(np.clip(samples, -1, 1) * FULL_SCALE)
        pcm = self._rest + scaled.astype("<i2").tobytes()
        whole = len(pcm) // FRAME_BYTES * FRAME_BYTES
        self._rest = pcm[whole:]
        return [pcm[first : first + FRAME_BYTES] for first in range(0, whole, FRAME_BYTES)]
