"""The 20 ms clock of one lane: clauses of translated speech go out in order, whole, and without clicks.

The synthesizer writes faster or slower than speech is heard. Playout starts a clause when all of it is there or enough
to bridge a pause of the synthesizer; where that was not enough, it fades out, and in again when there is more.
"""

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from appliance.units import FRAME_SAMPLES, SAMPLE_RATE_HZ

FADE_MS = 5

_INT16 = np.dtype("<i2")
_FADE_SAMPLES = SAMPLE_RATE_HZ * FADE_MS // 1000
_FADE_IN = np.concatenate(
    (np.linspace(0, 1, _FADE_SAMPLES, dtype=np.float32), np.ones(FRAME_SAMPLES - _FADE_SAMPLES, np.float32))
)
_FADE_OUT = _FADE_IN[::-1]
_FADE_AWAY = np.linspace(1, 0, FRAME_SAMPLES, dtype=np.float32)


class Piece(NamedTuple):
    """20 ms of a clause.

    `speech_end_ns`: when the speech that the clause translates ended. `first`, `last`: of its clause.
    """

    payload: bytes
    clause: int  # a number of its own
    speech_end_ns: int
    first: bool = False
    last: bool = False


class Playout:
    """One lane. Push pieces while it `wants_more`, and tick every 20 ms; `queued` have been pushed and not played.

    `prefill_frames`: how much of a clause must be there before it starts, and how many ticks that is waited for.
    """

    def __init__(self, prefill_frames: int) -> None:
        self.underruns = 0
        self._prefill_frames = max(1, prefill_frames)
        self._queue: deque[Piece] = deque()
        self._playing: Piece | None = None  # the last piece that went out; None between clauses
        self._waited_ticks = 0

    @property
    def queued(self) -> int:
        """Pieces that wait."""
        return len(self._queue)

    @property
    def wants_more(self) -> bool:
        """Whether the next tick can use another piece; all others are better kept where a restart finds them."""
        return len(self._queue) < (self._prefill_frames if self._playing is None else 1)

    def push(self, piece: Piece) -> None:
        """The next piece, in order."""
        self._queue.append(piece)

    def tick(self) -> Piece | None:
        """The next 20 ms, as they shall be heard; None is silence."""
        if self._playing is None:
            return self._play(fade_in=True) if self._may_start() else None
        if not self._queue:
            return self._fade_away(self._playing)
        return self._play(fade_in=self._queue[0].first)

    def _may_start(self) -> bool:
        """Whether a clause, or what is left of it after an underrun, is here in full or far enough."""
        if not self._queue:
            return False
        self._waited_ticks += 1
        enough = len(self._queue) >= self._prefill_frames or self._waited_ticks > self._prefill_frames
        return enough or any(piece.last for piece in self._queue)

    def _play(self, fade_in: bool) -> Piece:
        piece = self._queue.popleft()
        self._waited_ticks = 0
        self._playing = None if piece.last else piece
        if fade_in:
            piece = _shaped(piece, _FADE_IN)
        return _shaped(piece, _FADE_OUT) if piece.last else piece

    def _fade_away(self, before: Piece) -> Piece:
        """Conceal the first 20 ms of an underrun: the last frame mirrored, so that it joins on without a step."""
        self._playing = None
        self.underruns += 1
        mirrored = np.frombuffer(before.payload, _INT16)[::-1].tobytes()
        return _shaped(before._replace(payload=mirrored, first=False), _FADE_AWAY)


def _shaped(piece: Piece, envelope: NDArray[np.float32]) -> Piece:
    return piece._replace(payload=(np.frombuffer(piece.payload, _INT16) * envelope).astype(_INT16).tobytes())
