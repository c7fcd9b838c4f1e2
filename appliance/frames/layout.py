"""Where everything lies in an instance's shared memory: a function of a few numbers and the table of rings."""

from collections import Counter
from dataclasses import dataclass, field

import msgspec

from appliance.frames import _ring
from appliance.frames.ring_table import RINGS, RingKind

VERSION = 5  # count up when anything moves or means something else
HEADER_BYTES = 4096
VITALS_WORDS = 64
VITALS_BYTES = VITALS_WORDS * 8
MEASURES_WORDS = 128
MEASURES_BYTES = MEASURES_WORDS * 8


class Layout(msgspec.Struct, frozen=True):
    """All that decides where things lie. The header holds it, so that whoever attaches computes the same places."""

    pid: int  # of the process that made the memory
    max_legs: int
    max_lanes: int
    processes: tuple[str, ...]
    version: int = 0


@dataclass(frozen=True, slots=True)
class RingPlace:
    """One ring: header at `offset`, slots `slots_at` bytes further and `step` bytes from each other.

    `bit` is its number on its reader's doorbell.
    """

    offset: int
    slots_at: int
    step: int
    slots: int
    reader: str
    bit: int


@dataclass(slots=True)
class Places:
    """Offsets in bytes: vitals and bells by process name, rings by ring name and index."""

    board: int = HEADER_BYTES
    board_capacity: int = 0
    measures: int = 0
    vitals: dict[str, int] = field(default_factory=dict)
    bells: dict[str, int] = field(default_factory=dict)
    rings: dict[tuple[str, int], RingPlace] = field(default_factory=dict)
    size_bytes: int = HEADER_BYTES


def places(layout: Layout) -> Places:
    """Lay everything out, one thing after the other, each on its own cache lines.

    The rings' headers lie together: a process that serves 200 rings at every tick then needs few pages for them.
    Raises ValueError when one process would read more rings than a doorbell can tell apart.
    """
    found = Places(board_capacity=4096 + 512 * (layout.max_legs + layout.max_lanes))
    found.board = _append(found, _ring.board_bytes(found.board_capacity))
    found.measures = _append(found, MEASURES_BYTES)
    found.vitals = {process: _append(found, VITALS_BYTES) for process in layout.processes}
    found.bells = {process: _append(found, _ring.BELL_BYTES) for process in layout.processes}
    rings = [(kind, index) for kind in RINGS for index in range(_count(kind, layout))]
    headers = [_append(found, _ring.RING_HEADER_BYTES) for _ in rings]
    slots = [at for kind in RINGS for at in _slots(found, kind, _count(kind, layout))]
    bits: Counter[str] = Counter()
    for (kind, index), offset, (first, step) in zip(rings, headers, slots, strict=True):
        place = RingPlace(offset, first - offset, step, kind.slots, kind.reader, bits[kind.reader])
        found.rings[kind.name, index] = place
        bits[kind.reader] += 1
    if max(bits.values()) > _ring.BELL_RINGS:
        raise ValueError(f"one process can read {_ring.BELL_RINGS} rings, not {max(bits.values())}")
    return found


def _slots(found: Places, kind: RingKind, rings: int) -> list[tuple[int, int]]:
    """Make room for the slots of all rings of a kind: where each ring's first lies, and how far apart they are.

    Rings abreast have those of one tick on few pages, one after the other as the tick goes through the rings. On pages
    of their own, 200 rings take two to three times the time for a frame (measured): each page's address is looked up
    and its memory fetched, and no processor can tell which page is next.
    """
    ring_bytes = kind.slots * _ring.SLOT_BYTES
    first = _append(found, rings * ring_bytes)
    if kind.abreast:
        return [(first + ring * _ring.SLOT_BYTES, rings * _ring.SLOT_BYTES) for ring in range(rings)]
    return [(first + ring * ring_bytes, _ring.SLOT_BYTES) for ring in range(rings)]


def _append(found: Places, size: int) -> int:
    offset = found.size_bytes
    found.size_bytes += -(-size // 64) * 64
    return offset


def _count(kind: RingKind, layout: Layout) -> int:
    counts = {"leg": layout.max_legs, "lane": layout.max_lanes, "process": len(layout.processes), "box": 1}
    return counts[kind.per]
