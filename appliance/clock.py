"""Time inside the box: CLOCK_MONOTONIC in nanoseconds, and a ticker that does not drift."""

import time

from appliance.units import NS_PER_S

now_ns = time.monotonic_ns
sleep_s = time.sleep


class Ticker:
    """Wakes its caller on every multiple of `period_ns` after it was made; a late tick does not move the next."""

    def __init__(self, period_ns: int) -> None:
        self.period_ns = period_ns
        self.next_ns = now_ns() + period_ns

    def wait(self) -> int:
        """Sleep until the next tick and return how late it woke, in ns.

        More than a period late, the ticks that passed meanwhile are skipped, so that nobody runs a burst to catch up.
        """
        remaining_ns = self.next_ns - now_ns()
        if remaining_ns > 0:
            time.sleep(remaining_ns / NS_PER_S)  # Python 3.11: clock_nanosleep on the monotonic clock
        late_ns = now_ns() - self.next_ns
        self.next_ns += self.period_ns * (1 + max(0, late_ns) // self.period_ns)
        return late_ns
