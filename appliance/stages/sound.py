"""What one leg has said lately: samples, with when they were spoken and which uplink frame they came in."""

from bisect import bisect_right
from collections import deque

import numpy as np

from appliance.engines.protocols import Samples
from appliance.units import FRAME_BYTES, FRAME_SAMPLES, NS_PER_S, SAMPLE_RATE_HZ

FULL_SCALE = 32_768


class Sound:
    """Samples are numbered from the first one ever appended; those that nobody needs any more are forgotten."""

    def __init__(self) -> None:
        self._pcm = bytearray()
        self._frames: deque[tuple[int, int]] = deque()  # (capture_ns, uplink sequence number)
        self._forgotten = 0  # frames

    @property
    def first(self) -> int:
        """The oldest sample that is still there."""
        return self._forgotten * FRAME_SAMPLES

    @property
    def end(self) -> int:
        """The sample after the newest."""
        return self.first + len(self._frames) * FRAME_SAMPLES

    def append(self, pcm: bytes, capture_ns: int, seq_num: int) -> None:
        """One frame; `capture_ns` is when its first sample was spoken."""
        self._pcm += pcm
        self._frames.append((capture_ns, seq_num))

    def samples(self, start: int, end: int) -> Samples:
        """Those from `start` to `end`, as far as they are there."""
        start, end = max(0, start - self.first), max(0, end - self.first)
        # A copy, because a bytearray that somebody looks at cannot change its size.
        samples: Samples = np.frombuffer(self._pcm, "<i2")[start:end].astype(np.float32)
        return samples / np.float32(FULL_SCALE)

    def time_ns(self, sample: int) -> int:
        """When `sample` was spoken."""
        frame, within = divmod(sample, FRAME_SAMPLES)
        return self._frame(frame)[0] + within * NS_PER_S // SAMPLE_RATE_HZ

    def sample_at(self, time_ns: int) -> int:
        """The inverse of `time_ns`, as near as the sound that is there allows."""
        place = max(0, bisect_right(self._frames, time_ns, key=lambda frame: frame[0]) - 1)
        within = (time_ns - self._frames[place][0]) * SAMPLE_RATE_HZ // NS_PER_S
        return self.first + place * FRAME_SAMPLES + min(max(0, within), FRAME_SAMPLES)

    def seq_num(self, sample: int) -> int:
        """The uplink sequence number of the frame that `sample` came in."""
        return self._frame(sample // FRAME_SAMPLES)[1]

    def forget(self, before: int) -> None:
        """Let go of the frames that lie wholly before sample `before`; at least one is kept."""
        count = min(before // FRAME_SAMPLES - self._forgotten, len(self._frames) - 1)
        for _ in range(count):
            self._frames.popleft()
        if count > 0:
            del self._pcm[: count * FRAME_BYTES]
            self._forgotten += count

    def _frame(self, number: int) -> tuple[int, int]:
        return self._frames[min(max(0, number - self._forgotten), len(self._frames) - 1)]
