"""Who does nothing at all: a process, or a part of it, that is to compute and has used no processor time for a while.

A call that is slow on a busy machine still gets on; one that waits for a lock, a pipe or an answer that never comes
does not. What turns in a circle is not found here: that is what the deadline of an engine call is for.
"""

import os
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from threading import get_native_id

from appliance.units import NS_PER_MS

LIMIT_NS = 600 * NS_PER_MS
AWAY_NS = 400 * NS_PER_MS  # between two looks: then whoever looks was away, and the others perhaps as well
TRIFLE_NS = 4 * NS_PER_MS  # of processor time: threads that look after something else wake up now and then
WANTS_TO_GO_ON = (b"R", b"D")  # proc_pid_stat(5): it computes or waits for its turn; it waits for a disk
OF_A_PROCESS = 2  # CPUCLOCK_SCHED of the kernel's posix-timers.h: a clock's number is made of it and the process id


@dataclass(frozen=True, slots=True)
class Stillness:
    """The last time, CLOCK_MONOTONIC, that something was done, and how much processor time had been used by then."""

    since_ns: int = 0
    used_ns: int = 0
    looked_ns: int = 0

    def is_too_long(self, now_ns: int) -> bool:
        """Whether nothing has been done for LIMIT_NS."""
        return now_ns - self.since_ns > LIMIT_NS


def after_look(before: Stillness, used_ns: int, now_ns: int) -> Stillness:
    """What is known after one more look: `used_ns` of processor time so far, less than before in a new process."""
    goes_on = abs(used_ns - before.used_ns) > TRIFLE_NS
    was_away = now_ns - before.looked_ns > AWAY_NS  # the whole machine stood still: nobody is to blame
    return Stillness(now_ns, used_ns, now_ns) if goes_on or was_away else replace(before, looked_ns=now_ns)


def look_at(pid: int, before: Stillness, now_ns: int) -> Stillness:
    """The same, of a whole process."""
    try:
        used_ns = time.clock_gettime_ns(~pid << 3 | OF_A_PROCESS)
    except OSError:  # it has just ended
        return Stillness(now_ns, looked_ns=now_ns)
    return _unless_starved(after_look(before, used_ns, now_ns), used_ns, now_ns, pid)


def look_at_others(before: Stillness, now_ns: int) -> Stillness:
    """The same, of all threads of this process but this one."""
    used_ns = time.process_time_ns() - time.thread_time_ns()
    return _unless_starved(after_look(before, used_ns, now_ns), used_ns, now_ns, os.getpid(), {get_native_id()})


def _unless_starved(stillness: Stillness, used_ns: int, now_ns: int, pid: int, but: Collection[int] = ()) -> Stillness:
    """Whoever has something to do and waits for the machine only does not stand still."""
    if stillness.is_too_long(now_ns) and any(_state(each) in WANTS_TO_GO_ON for each in _threads(pid, but)):
        return Stillness(now_ns, used_ns, now_ns)
    return stillness


def _threads(pid: int, but: Collection[int]) -> list[Path]:
    try:
        return [each for each in Path(f"/proc/{pid}/task").iterdir() if int(each.name) not in but]
    except OSError:  # it has just ended
        return []


def _state(thread: Path) -> bytes:
    try:
        return (thread / "stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:  # as above
        return b""
