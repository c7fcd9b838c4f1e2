"""The audio that a remote recogniser has not answered for in full: what is sent again after a cut."""

import math
from collections import deque
from dataclasses import dataclass

from appliance.units import FRAME_NS

ROUNDING = 1e-6  # of a frame: 1.02 s × 50 frames is 51, not 50.999…


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """20 ms of speech, when it was captured, and its uplink sequence number."""

    pcm: bytes
    capture_ns: int
    seq_num: int


class ReplayBuffer:
    """The frames of one stream that are not settled, the last `limit_frames` of them.

    A position counts frames since the stream began; it may lie within a frame (12.5). Frames that do not fit any more
    are dropped, oldest first, and counted.
    """

    def __init__(self, limit_frames: int) -> None:
        self.first = 0  # position of the oldest frame
        self.dropped = 0
        self.next_seq_num = 0
        self.needed_from = 0  # sequence number of the oldest frame, or of the one to come; other threads may read it
        self._frames: deque[AudioFrame] = deque()
        self._ends: set[int] = set()  # positions after the last frame of an utterance, as the caller said
        self._limit_frames = limit_frames

    @property
    def end(self) -> int:
        """The position after the newest frame."""
        return self.first + len(self._frames)

    def append(self, frame: AudioFrame) -> None:
        self._frames.append(frame)
        self.next_seq_num = frame.seq_num + 1
        self.needed_from = self._frames[0].seq_num
        if len(self._frames) > self._limit_frames:
            self.dropped += 1
            self.settle(self.first + 1)

    def end_utterance(self) -> None:
        """Mark that an utterance ends with the newest frame."""
        self._ends.add(self.end)

    def ends_at(self, position: int) -> bool:
        return position in self._ends

    def read(self, position: int, most_frames: int) -> list[bytes]:
        """The audio from `position` on, not further than the end of the utterance, and at most `most_frames`."""
        end = min([end for end in self._ends if end > position] + [self.end, position + most_frames])
        return [self._frames[place - self.first].pcm for place in range(max(position, self.first), end)]

    def settle(self, position: float) -> None:
        """Forget the frames that lie wholly before `position`."""
        whole = min(int(position + ROUNDING), self.end)
        while self.first < whole:
            self._frames.popleft()
            self.first += 1
        self.needed_from = self._frames[0].seq_num if self._frames else self.next_seq_num
        self._ends = {end for end in self._ends if end >= self.first}

    def seq_num_at(self, position: float) -> int:
        """The uplink sequence number of the frame that `position` lies in."""
        return self._frames[self._place(math.floor(position + ROUNDING))].seq_num if self._frames else self.next_seq_num

    def start_ns(self, position: float) -> int:
        """When the sound that begins at `position` was captured."""
        return self._moment_ns(position, math.floor(position + ROUNDING))

    def end_ns(self, position: float) -> int:
        """When the sound that ends at `position` was captured: in the frame before it, not in one after a gap."""
        return self._moment_ns(position, math.ceil(position - ROUNDING) - 1)

    def _moment_ns(self, position: float, frame: int) -> int:
        if not self._frames:
            return 0
        place = self._place(frame)
        within = min(max(position - self.first - place, 0.0), 1.0)
        return self._frames[place].capture_ns + round(within * FRAME_NS)

    def _place(self, frame: int) -> int:
        return min(max(frame - self.first, 0), len(self._frames) - 1)
