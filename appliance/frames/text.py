"""Text between processes: MessagePack records in a ring's frames, as many consecutive ones as each record needs."""

from types import UnionType
from typing import Generic, TypeVar

import msgspec

from appliance.frames.ring import END, START, Frame, RingReader, RingWriter
from appliance.units import FRAME_BYTES

Record = TypeVar("Record")


class TextWriter:
    """Writes messages into a ring; each becomes visible as a whole."""

    def __init__(self, ring: RingWriter) -> None:
        self._ring = ring
        self._encoder = msgspec.msgpack.Encoder()
        self._limit_bytes = ring.slots // 2 * FRAME_BYTES  # longer ones would push everybody else's out

    def write(self, message: msgspec.Struct) -> int:
        """Write one message; returns the sequence of its first frame. Raises ValueError when it is too long."""
        record = self._encoder.encode(message)
        if len(record) > self._limit_bytes:
            raise ValueError(f"a message holds at most {self._limit_bytes} bytes in this ring, not {len(record)}")
        return self._ring.push_many(record, flags=START | END)

    def written(self, record: type[Record] | UnionType) -> list[Record]:
        """The messages that the ring still has, oldest first: those of a writer that died, too.

        For a restarted process, to go on where it had stopped.
        """
        decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(record)
        found: list[Record] = []
        parts: list[bytes] = []
        for sequence in range(max(0, self._ring.head - self._ring.slots), self._ring.head):
            parts.append(self._ring.read_back(sequence) or b"")
            # A frame does not say that it begins a record, but nothing else can be decoded.
            try:
                found.append(decoder.decode(b"".join(parts)))
            except msgspec.MsgspecError:
                if len(parts[-1]) == FRAME_BYTES:
                    continue
            parts.clear()
        return found


class TextReader(Generic[Record]):
    """Reads messages of type `record` from a ring.

    Records that are not whole (their writer died, or they were overwritten in part) or cannot be decoded are skipped
    and counted in `discarded`. `TextReader[JournalEntry](ring, JournalEntry)` reads a union of tagged messages.
    """

    def __init__(self, ring: RingReader, record: type[Record] | UnionType) -> None:
        self._ring = ring
        self._decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(record)
        self._parts: list[bytes] = []
        self._next = 0  # sequence that continues the parts
        self._generation = 0
        self._lost = False  # inside a record that has been counted as discarded
        self._position = ring.position
        self.discarded = 0

    def read(self) -> Record | None:
        """The next message, or None when no whole one is there now."""
        while frame := self._ring.pop():
            if self._take(frame) and frame.flags & END:
                message = self._decode()
                if message is not None:
                    return message
        return None

    @property
    def position(self) -> int:
        """Sequence after the last frame of the last message read: what to commit when that one is done."""
        return self._position

    @property
    def dropped(self) -> int:
        """Frames that were overwritten before they were read."""
        return self._ring.dropped

    @property
    def depth(self) -> int:
        """Frames that wait to be read."""
        return self._ring.depth

    def commit(self, sequence: int | None = None) -> None:
        """A restarted reader resumes at `sequence`; None: after the last message read."""
        self._ring.commit(self._position if sequence is None else sequence)

    def _take(self, frame: Frame) -> bool:
        """Add a frame to the record that it starts or continues; False: it belongs to none."""
        if self._parts and (frame.sequence != self._next or frame.generation != self._generation):
            self._discard()
        if frame.flags & START:
            if self._parts:
                self._discard()
            self._lost = False
        elif not self._parts:
            if not self._lost:
                self._discard()
            return False
        self._parts.append(frame.payload)
        self._next, self._generation = frame.sequence + 1, frame.generation
        return True

    def _discard(self) -> None:
        self._parts.clear()
        self._lost = True
        self.discarded += 1

    def _decode(self) -> Record | None:
        record = b"".join(self._parts)
        self._parts.clear()
        self._position = self._next
        try:
            return self._decoder.decode(record)
        except msgspec.MsgspecError:
            self.discarded += 1
            return None
