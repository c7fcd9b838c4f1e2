"""Changing the sample rate of a stream, chunk by chunk, without a seam between chunks."""

import numpy as np
import soxr
from numpy.typing import NDArray

from appliance.units import SAMPLE_RATE_HZ

Samples = NDArray[np.float32]  # mono, in -1 … 1


class Resampler:
    """One mono signal from `source_hz` to `target_hz`.

    soxr's HQ filter looks ahead: what `push` gives out trails by some 20 ms (66 ms from or to 8 kHz); `flush` ends it.
    Raises ValueError for a rate that is not positive.
    """

    def __init__(self, source_hz: int, target_hz: int = SAMPLE_RATE_HZ) -> None:
        if source_hz <= 0 or target_hz <= 0:
            raise ValueError(f"a sample rate is more than 0 Hz, not {source_hz} to {target_hz}")
        self._same = source_hz == target_hz
        self._stream = soxr.ResampleStream(source_hz, target_hz, 1, dtype="float32", quality="HQ")

    def push(self, samples: Samples) -> Samples:
        """The next part of the signal in; what can be told of it out, from none to all."""
        return samples if self._same else self._resample(samples, last=False)

    def flush(self) -> Samples:
        """End the signal and return the rest of it. The next `push` begins a new signal."""
        rest = self._resample(np.zeros(0, np.float32), last=True)
        self._stream.clear()
        return rest

    def _resample(self, samples: Samples, last: bool) -> Samples:
        resampled: Samples = self._stream.resample_chunk(samples, last=last)
        return resampled


def resample(samples: Samples, source_hz: int, target_hz: int = SAMPLE_RATE_HZ) -> Samples:
    """A whole signal at once; as many samples as its duration has at `target_hz`."""
    resampler = Resampler(source_hz, target_hz)
    return np.concatenate((resampler.push(samples), resampler.flush()))
