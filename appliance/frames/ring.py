"""Rings between processes: one writer, one reader, the oldest frame overwritten, nobody ever waiting for the other.

A typed doorway to the C module `_ring`; `appliance.frames.memory` makes the objects.

`RingWriter.push` copies one frame of up to 640 bytes and returns its sequence; `push_many` splits a longer buffer into
consecutive frames that become visible together, START only on the first and END only on the last, and returns the
first one's sequence. Both raise ValueError for what does not fit. `read_back` is for the writer's own process: a frame
that it pushed and the ring still has.

`RingReader.pop` returns the next whole frame or None. A `Frame` has `sequence`, `generation`, `capture_ns`, `stream`,
`timestamp`, `flags` and `payload`; it is itself a buffer, so `np.frombuffer(frame, "<i2")` copies nothing. Frames that
were overwritten before they were read, or while they were, are skipped and counted in `dropped` (`torn`: those lost in
the middle of the copy). `commit` says where a restarted reader resumes.

`push_each` and `pop_ready` do it for many rings in one call and wake or look once; `pop_ready` makes no objects, but
fills an array of FRAME_RECORD.

`Doorbell.wait` returns True when something is unread in a ring whose reader this process holds, somebody rang or a
signal came; False after `timeout_s`. So a reader that is held but not read to its end keeps its process awake:
`seek(head)`, or let it go.
"""

from appliance.frames._ring import (
    CONCEALED,
    DISCONTINUITY,
    END,
    FRAME_RECORD_BYTES,
    START,
    Board,
    Doorbell,
    Frame,
    RingReader,
    RingState,
    RingWriter,
    die_with_parent,
    pop_ready,
    push_each,
)
from appliance.units import FRAME_SAMPLES

# What `pop_ready` fills a buffer with, as numpy wants it told: np.zeros(200, np.dtype(FRAME_RECORD)).
FRAME_RECORD = [
    ("sequence", "<u8"),
    ("generation", "<u8"),
    ("capture_ns", "<u8"),
    ("stream", "<u8"),
    ("timestamp", "<u4"),
    ("flags", "<u4"),
    ("length_bytes", "<u4"),
    ("index", "<u4"),
    ("samples", "<i2", (FRAME_SAMPLES,)),
]

__all__ = [
    "CONCEALED",
    "DISCONTINUITY",
    "END",
    "FRAME_RECORD",
    "FRAME_RECORD_BYTES",
    "START",
    "Board",
    "Doorbell",
    "Frame",
    "RingReader",
    "RingState",
    "RingWriter",
    "die_with_parent",
    "pop_ready",
    "push_each",
]
