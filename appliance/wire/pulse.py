"""The rtp process's 20 ms pulse: which tick it is, how late it came, and what keeps it punctual."""

import gc
import os

from appliance.clock import Ticker
from appliance.supervision.vitals import Vitals
from appliance.units import FRAME_NS, FRAMES_PER_S

REALTIME_PRIORITY = 20  # above everything ordinary, below the kernel's own threads


class Pulse:
    """Ticks every 20 ms and shows in the vital signs how late: the last tick, and the worst of the last second."""

    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals
        self._ticker = Ticker(FRAME_NS)
        self._worst_ns = 0
        self._tick = self._ticker.next_ns // FRAME_NS - 1

    def wait(self) -> int:
        """Sleep until the next tick and return its number. Ticks that were slept through are counted and left out.

        Ticks are numbered from the origin of CLOCK_MONOTONIC: every process of this box counts the same.
        """
        late_ns = self._ticker.wait()
        before, self._tick = self._tick, self._ticker.next_ns // FRAME_NS - 1
        self._vitals.add("missed_ticks", self._tick - before - 1)
        self._worst_ns = max(self._worst_ns, late_ns)
        self._vitals.set("tick_late_us", late_ns / 1000)
        if self._tick % FRAMES_PER_S == 0:
            self._vitals.set("tick_late_max_us", self._worst_ns / 1000)
            self._worst_ns = 0
        return self._tick


def stay_punctual() -> bool:
    """Keep this process from pausing: no garbage collection from now on, and real-time scheduling if allowed.

    Everything made per tick is freed by reference counting. Returns whether scheduling is real-time.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(REALTIME_PRIORITY))
    except PermissionError:
        return False
    return True
