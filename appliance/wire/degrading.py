"""Lanes that nobody can interpret: their listeners hear the original at full level, and two notes when that changes."""

from collections.abc import Callable, Iterable, Sequence

from appliance.frames.roster import Lane
from appliance.recovery.ladder import next_rung
from appliance.wire.lane_out import LaneOut


class Degrading:
    """Takes lanes down the ladder and up again.

    `missing` says what a lane lacks, "" for nothing; `tell` is told of each step (the lane, and what it lacks now).
    `falling` and `rising` are the frames of the notes that announce it.
    """

    def __init__(
        self,
        missing: Callable[[Lane], str],
        tell: Callable[[Lane, str], None],
        falling: Sequence[bytes] = (),
        rising: Sequence[bytes] = (),
    ) -> None:
        self._missing = missing
        self._tell = tell
        self._falling = falling
        self._rising = rising
        self._on_ladder: dict[int, LaneOut] = {}  # by place: those that are not at rest

    @property
    def lanes_down(self) -> int:
        """How many lanes are not interpreted."""
        return sum(out.rung.down for out in self._on_ladder.values())

    @property
    def raised_legs(self) -> set[int]:
        """The places of those legs that are heard louder than softly."""
        return {out.lane.leg for out in self._on_ladder.values() if out.rung.raised}

    def follow(self, lanes: Iterable[LaneOut]) -> None:
        """These are the lanes from now on."""
        self._on_ladder = {out.lane.place: out for out in lanes if not out.rung.is_at_rest}

    def look(self, lanes: Iterable[LaneOut]) -> None:
        """See how these lanes are; each should be seen ten times a second or so."""
        for out in lanes:
            out.missing = self._missing(out.lane)
            if out.missing:
                self._on_ladder[out.lane.place] = out

    def tick(self) -> list[tuple[LaneOut, Sequence[bytes]]]:
        """Go on by 20 ms; returns the lanes in whose booths notes are to be heard now, with their frames."""
        announced = []
        for place, out in list(self._on_ladder.items()):
            before = out.rung
            out.rung = next_rung(before, able=not out.missing, speaking=out.is_speaking)
            out.raised_before = before.raised
            if before.down is not out.rung.down:
                self._tell(out.lane, out.missing if out.rung.down else "")
                announced.append((out, self._falling if out.rung.down else self._rising))
            if out.rung.is_at_rest:
                del self._on_ladder[place]
        return announced
