"""Rings between processes: one writer, one reader, the oldest frame overwritten, nobody ever waiting for the other.

A typed doorway to the C module `_ring`; `appliance.frames.memory` makes the objects.

`RingWriter.push` copies one frame of up to 640 bytes and returns its sequence; `push_many` splits a longer buffer into
consecutive frames that become visible together, START only on the first and END only on the last, and returns the
first one's sequence. Both raise ValueError for what does not fit.

`RingReader.pop` returns the next whole frame or None. A `Frame` has `sequence`, `generation`, `capture_ns`, `stream`,
`timestamp`, `flags` and `payload`; it is itself a buffer, so `np.frombuffer(frame, "<i2")` copies nothing. Frames that
were overwritten before they were read, or while they were, are skipped and counted in `dropped` (`torn`: those lost in
the middle of the copy). `commit` says where a restarted reader resumes.

`Doorbell.wait` returns True when something is unread in a ring whose reader this process holds, somebody rang or a
signal came; False after `timeout_s`. So a reader that is held but not read to its end keeps its process awake:
`seek(head)`, or let it go.
"""

from appliance.frames._ring import (
    CONCEALED,
    DISCONTINUITY,
    END,
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

__all__ = [
    "CONCEALED",
    "DISCONTINUITY",
    "END",
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
