"""Speaking faster at the same pitch: WSOLA over a stream of 16 kHz samples.

WSOLA (Verhelst and Roelands, ICASSP 1993) goes through the signal in blocks. Each next block is taken from about where
the speed says, but exactly where the sound best resembles the natural continuation of the block before, and is
cross-faded with that continuation: whole pitch periods are left out, and the pitch stays.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.units import SAMPLE_RATE_HZ

BLOCK_MS = 15
SEARCH_MS = 9  # either way: together more than the period of the deepest voice (60 Hz)
SLOWEST, FASTEST = 1.0, 1.5

_BLOCK = SAMPLE_RATE_HZ * BLOCK_MS // 1000
_SEARCH = SAMPLE_RATE_HZ * SEARCH_MS // 1000
_RISE = (0.5 - 0.5 * np.cos(np.pi * (np.arange(_BLOCK) + 0.5) / _BLOCK)).astype(np.float32)
_FALL = 1 - _RISE  # the two add up to 1: where both blocks are the same sound, so is the sum

Pcm = NDArray[np.int16]
Samples = NDArray[np.float32]


class TimeStretch:
    """One signal of int16 samples; `speed` may change at any time, and at 1.0 it comes out as it went in.

    What comes out trails by up to BLOCK_MS + 2 · SEARCH_MS of what went in. About 0.06 ms of work for 20 ms of sound.
    """

    def __init__(self) -> None:
        self.speed = 1.0
        self._held: Samples = np.zeros(0, np.float32)  # from the natural continuation on
        self._ahead = 0.0  # how far the speed would have the next block begin after the natural continuation

    @property
    def held(self) -> int:
        """How many samples have gone in and have not come out, nor been left out."""
        return len(self._held)

    def push(self, samples: Pcm) -> Pcm:
        """The next part of the signal in; what can be told of it at this `speed` out, from none to all.

        Raises ValueError for a speed outside SLOWEST … FASTEST.
        """
        if not SLOWEST <= self.speed <= FASTEST:
            raise ValueError(f"the speed is {SLOWEST} to {FASTEST}, not {self.speed}")
        self._held = np.concatenate((self._held, samples.astype(np.float32)))
        blocks: list[Samples] = []
        while (block := self._next_block()) is not None:
            blocks.append(block)
        return _pcm(blocks)

    def flush(self) -> Pcm:
        """End the signal and return the rest of it, unchanged. The next `push` begins a new signal."""
        rest, self._held, self._ahead = self._held, np.zeros(0, np.float32), 0.0
        return _pcm([rest])

    def _next_block(self) -> Samples | None:
        if self.speed == 1.0:
            self._ahead = 0.0
            return self._take(0, _BLOCK)
        ahead = self._ahead + _BLOCK * (self.speed - 1)
        if len(self._held) < ahead + _SEARCH + _BLOCK:
            return None
        skipped = self._best_place(ahead)
        self._ahead = ahead - skipped
        joined = self._held[:_BLOCK] * _FALL + self._held[skipped : skipped + _BLOCK] * _RISE
        self._take(skipped, _BLOCK)
        return joined

    def _best_place(self, ahead: float) -> int:
        """Where, within the search range around `ahead`, the sound is most like its natural continuation."""
        first = max(0, round(ahead) - _SEARCH)
        last = round(ahead) + _SEARCH
        continuation, region = self._held[:_BLOCK], self._held[first : last + _BLOCK]
        likeness = np.correlate(region, continuation, "valid")
        energies = np.cumsum(np.concatenate(([0.0], np.square(region, dtype=np.float64))))
        loudness = np.sqrt(np.maximum(energies[_BLOCK:] - energies[:-_BLOCK], 1.0))
        return first + int(np.argmax(likeness / loudness))

    def _take(self, start: int, count: int) -> Samples | None:
        """The samples from `start` on; they and all before them are done with. None where there are not enough."""
        if len(self._held) < start + count:
            return None
        taken, self._held = self._held[start : start + count], self._held[start + count :]
        return taken


def _pcm(blocks: list[Samples]) -> Pcm:
    if not blocks:
        return np.zeros(0, np.int16)
    return np.rint(np.concatenate(blocks)).clip(-32768, 32767).astype(np.int16)
