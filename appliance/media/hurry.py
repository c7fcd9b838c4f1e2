"""A clause that is said faster than it was made: pieces of 20 ms in, fewer pieces of 20 ms out."""

from collections.abc import Callable
from math import ceil

import msgspec
import numpy as np

from appliance.media.time_stretch import Pcm, TimeStretch
from appliance.units import FRAME_SAMPLES

_INT16 = np.dtype("<i2")


class Piece(msgspec.Struct, frozen=True, gc=False):
    """20 ms of a clause.

    `speech_end_ns`: when the speech that the clause translates ended. `first`, `last`: of its clause.
    """

    payload: bytes
    clause: int  # a number of its own
    speech_end_ns: int
    first: bool = False
    last: bool = False


class Hurry:
    """One clause, or what is left of it. `rest` is what has not come out when it has to end in the middle."""

    def __init__(self) -> None:
        self.rest: Pcm = np.zeros(0, np.int16)  # fast already, not out yet
        self._stretch = TimeStretch()
        self._newest: Piece | None = None  # that went in
        self._opens = False  # the next piece out is its clause's first
        self._ended = False  # the whole clause is in `rest`

    @property
    def held_pieces(self) -> int:
        """As many of the pieces that went in, or parts of them, have not come out."""
        return ceil((self._stretch.held + len(self.rest) * self._stretch.speed) / FRAME_SAMPLES)

    def next(self, take: Callable[[], Piece | None], speed: float) -> Piece | None:
        """The next 20 ms, made of as many pieces as `take` has to give for it; None when they do not suffice."""
        self._stretch.speed = speed
        while len(self.rest) < FRAME_SAMPLES and not self._ended:
            piece = take()
            if piece is None:
                self._append(self._stretch.flush())
                break
            self._push(piece)
        if len(self.rest) < FRAME_SAMPLES and not self._ended:
            return None
        return self._pop()

    def _push(self, piece: Piece) -> None:
        self._newest = piece
        self._opens |= piece.first
        self._append(self._stretch.push(np.frombuffer(piece.payload, _INT16)))
        if piece.last:
            self._append(self._stretch.flush())
            self._ended = True

    def _append(self, samples: Pcm) -> None:
        self.rest = np.concatenate((self.rest, samples))

    def _pop(self) -> Piece:
        assert self._newest, "what comes out has gone in"
        samples, self.rest = self.rest[:FRAME_SAMPLES], self.rest[FRAME_SAMPLES:]
        last = self._ended and not len(self.rest)
        payload = samples.tobytes().ljust(FRAME_SAMPLES * _INT16.itemsize, b"\0")
        piece = msgspec.structs.replace(self._newest, payload=payload, first=self._opens, last=last)
        self._opens = False
        return piece
