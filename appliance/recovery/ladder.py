"""The degrade ladder of one lane: from its translation down to the original at full level, and back up, smoothly."""

from dataclasses import dataclass, replace

DOWN_AFTER_MS = 500  # a process that is restarted at once, and a retry that succeeds, are over by then
UP_AFTER_MS = 1000  # whoever is back for a moment only is not announced
RAISE_STEPS = 10  # of 20 ms: the original rises, and falls, within 200 ms


@dataclass(frozen=True, slots=True)
class Rung:
    """Where a lane stands. `raised`: how far the original has risen to full level, in RAISE_STEPS."""

    down: bool = False
    turned_ms: int = 0  # for how long the other rung has been called for
    raised: int = 0

    @property
    def is_at_rest(self) -> bool:
        """Whether it is all the way up, and nothing calls it down."""
        return self == Rung()


def next_rung(rung: Rung, able: bool, speaking: bool, elapsed_ms: int = 20) -> Rung:
    """The rung after 20 ms. `able`: somebody can interpret the lane; `speaking`: a translation is heard in it now.

    What is being said is said to its end before the original rises; whoever is heard again is back.
    """
    turned_ms = rung.turned_ms + elapsed_ms if able is rung.down else 0
    down = rung.down
    if down and (speaking or turned_ms >= UP_AFTER_MS):
        down, turned_ms = False, 0
    elif not down and turned_ms >= DOWN_AFTER_MS and not speaking:
        down, turned_ms = True, 0
    raised = min(RAISE_STEPS, rung.raised + 1) if down else max(0, rung.raised - 1)
    return replace(rung, down=down, turned_ms=turned_ms, raised=raised)
