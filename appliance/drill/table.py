"""What a fault may cost and what it did cost, and the table in which people read both."""

from collections.abc import Sequence

import msgspec


class Bounds(msgspec.Struct, frozen=True):
    """What a fault may cost at most; None: nothing of the kind is to be measured. No object may ever be leaked."""

    seen_ms: float | None = None  # until the appliance has noticed
    back_s: float | None = None  # until all is as it was
    gap_ms: float | None = None  # without sound
    calls_lost: int = 0


class Fault(msgspec.Struct, frozen=True):
    """One way to break something. `how`: by what it is made."""

    number: int
    name: str
    how: str
    bounds: Bounds = Bounds()


class Outcome(msgspec.Struct, frozen=True):
    """What became of a fault. None: not measured."""

    seen_ms: float | None = None
    back_s: float | None = None
    gap_ms: float | None = None
    calls_lost: int = 0
    leaked: tuple[str, ...] = ()
    never_back: bool = False  # the drill gave up waiting


HEADINGS = ("", "fault", "made by", "seen after", "back after", "gap in audio", "calls lost", "leaked", "")


def misses(fault: Fault, outcome: Outcome) -> list[str]:
    """Which bounds were missed, a sentence each."""
    pairs = (
        ("seen after", outcome.seen_ms, fault.bounds.seen_ms, "ms"),
        ("back after", outcome.back_s, fault.bounds.back_s, "s"),
        ("a gap of", outcome.gap_ms, fault.bounds.gap_ms, "ms"),
    )
    found = [
        f"{name} {_figure(value, unit)}, not {bound:g}"
        for name, value, bound, unit in pairs
        if value is not None and bound is not None and value > bound
    ]
    if outcome.calls_lost > fault.bounds.calls_lost:
        found.append(f"calls lost: {outcome.calls_lost}, not {fault.bounds.calls_lost}")
    if outcome.leaked:
        found.append(f"left behind: {', '.join(outcome.leaked)}")
    if outcome.never_back:
        found.append("it never came back")
    return found


def lines(rows: Sequence[tuple[Fault, Outcome]]) -> list[str]:
    """A table for a terminal, one row for each fault."""
    cells = [HEADINGS, *(_row(fault, outcome) for fault, outcome in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADINGS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _row(fault: Fault, outcome: Outcome) -> tuple[str, ...]:
    return (
        str(fault.number),
        fault.name,
        fault.how,
        _figure(outcome.seen_ms, "ms"),
        _figure(outcome.back_s, "s"),
        _figure(outcome.gap_ms, "ms"),
        str(outcome.calls_lost),
        str(len(outcome.leaked)),
        "; ".join(misses(fault, outcome)) or "holds",
    )


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:.0f} {unit}" if unit == "ms" else f"{value:.1f} {unit}"
