"""Where everything lies in an instance's shared memory: a function of a few numbers and the table of rings."""

from dataclasses import dataclass, field

import msgspec

from appliance.frames import _ring
from appliance.frames.ring_table import RINGS, RingKind

HEADER_BYTES = 4096
VITALS_WORDS = 64
VITALS_BYTES = VITALS_WORDS * 8


class Layout(msgspec.Struct, frozen=True):
    """All that decides where things lie. The header holds it, so that whoever attaches computes the same places."""

    pid: int  # of the process that made the memory
    max_legs: int
    max_lanes: int
    processes: tuple[str, ...]
    size_bytes: int = 0  # of the whole; differs when another version of this program made it


@dataclass(frozen=True, slots=True)
class RingPlace:
    """One ring: `bit` is its number on the doorbell of its reader."""

    offset: int
    slots: int
    reader: str
    bit: int


@dataclass(slots=True)
class Places:
    """Offsets in bytes: vitals and bells by process name, rings by ring name and index."""

    board: int = HEADER_BYTES
    board_capacity: int = 0
    vitals: dict[str, int] = field(default_factory=dict)
    bells: dict[str, int] = field(default_factory=dict)
    rings: dict[tuple[str, int], RingPlace] = field(default_factory=dict)
    size_bytes: int = HEADER_BYTES


def places(layout: Layout) -> Places:
    """Lay everything out, one thing after the other, each on its own cache lines.

    Raises ValueError when one process would read more rings than a doorbell can tell apart.
    """
    found = Places(board_capacity=4096 + 256 * (layout.max_legs + 2 * layout.max_lanes))
    found.board = _append(found, _ring.board_bytes(found.board_capacity))
    found.vitals = {process: _append(found, VITALS_BYTES) for process in layout.processes}
    found.bells = {process: _append(found, _ring.BELL_BYTES) for process in layout.processes}
    bits: dict[str, int] = {}
    for kind in RINGS:
        for index in range(_count(kind, layout)):
            bit = bits[kind.reader] = bits.get(kind.reader, -1) + 1
            found.rings[kind.name, index] = RingPlace(
                _append(found, _ring.ring_bytes(kind.slots)), kind.slots, kind.reader, bit
            )
    if max(bits.values()) >= _ring.BELL_RINGS:
        raise ValueError(f"one process can read {_ring.BELL_RINGS} rings, not {max(bits.values()) + 1}")
    return found


def _append(found: Places, size: int) -> int:
    offset = found.size_bytes
    found.size_bytes += -(-size // 64) * 64
    return offset


def _count(kind: RingKind, layout: Layout) -> int:
    counts = {"leg": layout.max_legs, "lane": layout.max_lanes, "process": len(layout.processes), "box": 1}
    return counts[kind.per]
