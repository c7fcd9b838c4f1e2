"""The 20 ms clock of one lane: clauses of translated speech go out in order, whole, and without clicks.

The synthesizer writes faster or slower than speech is heard. Playout starts a clause when all of it is there or enough
to bridge a pause of the synthesizer; where that was not enough, it fades out, and in again when there is more.
"""

from collections import deque
from typing import NamedTuple

import numpy as np

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
    """20 ms of a translation: one frame of one clause.

    `speech_end_ns`: when the speech it translates ended. `first`, `last`: of its clause; a translation has one or more.
    """

    payload: bytes
    translation: int
    speech_end_ns: int
    first: bool = False
    last: bool = False


class Played(NamedTuple):
    """What one tick sends. `opens` is the first piece of a translation that begins here."""

    payload: bytes
    opens: Piece | None = None


class Playout:
    """One lane. Push pieces up to `room`, and tick every 20 ms; `queued` pieces have been pushed and not played.

    `prefill_frames`: how much of a clause must be there before it starts, and how many ticks that is waited for.
    """

    def __init__(self, prefill_frames: int) -> None:
        self.underruns = 0
        self._prefill_frames = prefill_frames
        self._queue: deque[Piece] = deque()
        self._playing: Piece | None = None  # the last piece that went out; None between clauses
        self._waited_ticks = 0
        self._opened: int | None = None

    @property
    def queued(self) -> int:
        """Pieces that wait."""
        return len(self._queue)

    @property
    def room(self) -> int:
        """How many more pieces it wants now; the rest is better kept where a restart finds it."""
        return max(1, self._prefill_frames) - len(self._queue)

    def push(self, piece: Piece) -> None:
        """The next piece, in order."""
        self._queue.append(piece)

    def tick(self) -> Played | None:
        """The next 20 ms; None is silence."""
        if self._playing is None:
            return self._play(fade_in=True) if self._may_start() else None
        if not self._queue:
            return self._fade_away()
        return self._play(fade_in=self._queue[0].first)

    def _may_start(self) -> bool:
        """Whether a clause, or what is left of it after an underrun, is here in full or far enough."""
        if not self._queue:
            return False
        self._waited_ticks += 1
        enough = len(self._queue) >= self._prefill_frames or self._waited_ticks > self._prefill_frames
        return enough or any(piece.last for piece in self._queue)

    def _play(self, fade_in: bool) -> Played:
        piece = self._queue.popleft()
        self._waited_ticks = 0
        ends = piece.last or bool(self._queue and self._queue[0].first)
        self._playing = None if ends else piece
        payload = piece.payload
        if fade_in:
            payload = _shape(payload, _FADE_IN)
        if ends:
            payload = _shape(payload, _FADE_OUT)
        return Played(payload, self._opens(piece))

    def _opens(self, piece: Piece) -> Piece | None:
        if not piece.first or piece.translation == self._opened:
            return None
        self._opened = piece.translation
        return piece

    def _fade_away(self) -> Played:
        """Conceal the first 20 ms of an underrun: the last frame mirrored, so that it joins on without a step."""
        assert self._playing is not None, "only a clause that plays can run dry"
        self.underruns += 1
        mirrored = np.frombuffer(self._playing.payload, _INT16)[::-1]
        self._playing = None
        return Played(_shape(mirrored.tobytes(), _FADE_AWAY))


def _shape(payload: bytes, envelope: "np.typing.NDArray[np.float32]") -> bytes:
    return (np.frombuffer(payload, _INT16) * envelope).astype(_INT16).tobytes()
