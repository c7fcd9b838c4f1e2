"""The 20 ms clock of one lane: clauses of translated speech go out in order, whole, and without clicks.

The synthesizer writes faster or slower than speech is heard. Playout starts a clause when all of it is there or enough
to bridge a pause of the synthesizer; where that was not enough, it fades out, and in again when there is more. A lane
that is behind its speaker plays faster than was written.
"""

from collections import deque

import msgspec
import numpy as np
from numpy.typing import NDArray

from appliance.media.hurry import Hurry, Piece
from appliance.media.time_stretch import Pcm
from appliance.units import FRAME_SAMPLES, SAMPLE_RATE_HZ

FADE_MS = 5

_INT16 = np.dtype("<i2")
_FADE_SAMPLES = SAMPLE_RATE_HZ * FADE_MS // 1000
_FADE_IN = np.concatenate(
    (np.linspace(0, 1, _FADE_SAMPLES, dtype=np.float32), np.ones(FRAME_SAMPLES - _FADE_SAMPLES, np.float32))
)
_FADE_OUT = _FADE_IN[::-1]
_NOTHING = np.zeros(0, np.int16)
_PIECES_FASTER = 3  # that 20 ms of faster speech may take, and what is heard of the sound to come
_FADE_AWAY = np.linspace(1, 0, FRAME_SAMPLES, dtype=np.float32)


class Playout:
    """One lane. Push the pieces `wanted`, and tick every 20 ms; `queued` have been pushed and not played.

    `prefill_frames`: how much of a clause must be there before it starts, and how many ticks that is waited for.
    `speed` may change at any time, from 1.0 to time_stretch.FASTEST.
    """

    def __init__(self, prefill_frames: int) -> None:
        self.underruns = 0
        self.speed = 1.0
        self._prefill_frames = max(1, prefill_frames)
        self._queue: deque[Piece] = deque()
        self._hurry: Hurry | None = None  # of the clause in which the speed was more than 1.0
        self._playing: Piece | None = None  # the last piece that went out; None between clauses
        self._resumes = True  # the next piece joins on to silence, whatever it is
        self._waited_ticks = 0

    @property
    def queued(self) -> int:
        """Pieces that have been pushed, and have not been played to their ends."""
        return len(self._queue) + (self._hurry.held_pieces if self._hurry else 0)

    @property
    def is_playing(self) -> bool:
        """Whether it is in the middle of a clause."""
        return self._playing is not None

    @property
    def wanted(self) -> int:
        """How many pieces more the next tick can use; all others are better kept where a restart finds them."""
        if self._playing is None:
            return self._prefill_frames - len(self._queue)
        return (_PIECES_FASTER if self._hurry or self.speed > 1.0 else 1) - len(self._queue)

    def push(self, piece: Piece) -> None:
        """The next piece, in order."""
        self._queue.append(piece)

    def tick(self) -> Piece | None:
        """The next 20 ms, as they shall be heard; None is silence."""
        if self._playing is None and not self._may_start():
            return None
        if self.speed > 1.0 and not self._hurry:
            self._hurry = Hurry()
        piece = self._hurry.next(self._take, self.speed) if self._hurry else self._take()
        if piece is None:
            return self._fade_away()
        self._waited_ticks = 0
        self._playing = piece
        if piece.last:
            self._playing = self._hurry = None
        return piece

    def _may_start(self) -> bool:
        """Whether a clause, or what is left of it after an underrun, is here in full or far enough."""
        if not self._queue:
            return False
        self._waited_ticks += 1
        enough = len(self._queue) >= self._prefill_frames or self._waited_ticks > self._prefill_frames
        return enough or any(piece.last for piece in self._queue)

    def _take(self) -> Piece | None:
        """The next piece of the queue, faded where it begins or ends."""
        if not self._queue:
            return None
        piece = self._queue.popleft()
        if piece.first or self._resumes:
            piece = _shaped(piece, _FADE_IN)
        self._resumes = False
        return _shaped(piece, _FADE_OUT) if piece.last else piece

    def _fade_away(self) -> Piece:
        """Conceal the first 20 ms of an underrun: the last sound mirrored, so that it joins on without a step."""
        assert self._playing, "what has not begun does not run dry"
        before, rest = self._playing, self._hurry.rest if self._hurry else _NOTHING
        self._playing, self._hurry, self._resumes = None, None, True
        self.underruns += 1
        sound = np.concatenate((np.frombuffer(before.payload, _INT16), rest))
        faded: Pcm = np.concatenate((rest, sound[::-1]))[:FRAME_SAMPLES]
        return _shaped(msgspec.structs.replace(before, payload=faded.tobytes(), first=False), _FADE_AWAY)


def _shaped(piece: Piece, envelope: NDArray[np.float32]) -> Piece:
    shaped = (np.frombuffer(piece.payload, _INT16) * envelope).astype(_INT16)
    return msgspec.structs.replace(piece, payload=shaped.tobytes())
