"""One worker as the watchdog sees it: alive or not, how often it died, how far its end has come."""

from collections import deque
from dataclasses import replace
from pathlib import Path
from signal import Signals

from appliance.supervision.launcher import Launcher, Spawned
from appliance.supervision.process_table import Process
from appliance.supervision.recovery import Ladder, Signs, ladder_step
from appliance.supervision.standby import TAKE_OVER_S
from appliance.supervision.stillness import Stillness, look_at
from appliance.supervision.vitals import Vitals

HALTED = b"T"  # proc_pid_stat(5): stopped on a signal


class Child:
    """Bookkeeping and signals; what to do and when is decided by `recovery` and done by the supervisor."""

    def __init__(self, process: Process, vitals: Vitals) -> None:
        self.process = process
        self.vitals = vitals
        self.spawned: Spawned | None = None
        self.was_ready = False
        self.deadlines = process  # which it is judged by
        self.exits_ns: deque[int] = deque(maxlen=16)
        self.restart_at_ns: int | None = 0  # None: not to be started again
        self._halted_ns = 0
        self._stillness = Stillness()
        self._ladder: Ladder = ()
        self._steps_taken = 0
        self._ending_since_ns = 0

    @property
    def name(self) -> str:
        """As in the process table."""
        return self.process.name

    @property
    def ending(self) -> bool:
        """Whether it is on a kill ladder."""
        return bool(self._ladder)

    @property
    def works(self) -> bool:
        """Whether it is there and ready, and nobody has told it to end."""
        return bool(self.spawned) and self.was_ready and not self.ending

    def spawn(self, launcher: Launcher, now_ns: int) -> Spawned:
        """Start it, with clean vital signs. Raises OSError."""
        self.vitals.begin(now_ns)
        self.was_ready = False
        self.restart_at_ns = None
        self.deadlines = self.process
        self.spawned = launcher.spawn(self.process)
        self.vitals.spawned(self.spawned.popen.pid)
        return self.spawned

    def succeed(self, standby: Spawned, now_ns: int) -> None:
        """Let a standby, warm and alive, take this place. Nobody else is in it: the one before was buried."""
        assert not self.spawned
        self.vitals.begin(now_ns)
        self.vitals.spawned(standby.popen.pid)
        self.was_ready = False
        self.restart_at_ns = None
        self.deadlines = replace(self.process, ready_s=min(self.process.ready_s, TAKE_OVER_S))
        self.spawned = standby
        standby.go()

    def exit_status(self) -> int | None:
        """Status of its end (negative: the signal that ended it); None while it runs."""
        return self.spawned.popen.poll() if self.spawned else None

    def buried(self, now_ns: int) -> None:
        """It has ended and its output has been read."""
        assert self.spawned
        self.spawned.close()
        self.spawned = None
        self.exits_ns.append(now_ns)
        self._ladder = ()

    def signs(self, now_ns: int) -> Signs:
        """Its vital signs, and what the kernel says of it."""
        self._halted_ns = (self._halted_ns or now_ns) if self._is_halted() else 0
        if not self.process.busy_s:
            return replace(self.vitals.signs(), halted_ns=self._halted_ns)
        self._stillness = look_at(self.vitals.pid, self._stillness, now_ns)
        return replace(self.vitals.signs(), halted_ns=self._halted_ns, still_ns=self._stillness.since_ns)

    def _is_halted(self) -> bool:
        try:
            stat = Path(f"/proc/{self.vitals.pid}/stat").read_bytes()
        except OSError:  # it has just ended
            return False
        return stat.rpartition(b")")[2].split()[0] == HALTED

    def begin_to_end(self, ladder: Ladder, now_ns: int) -> None:
        """Put it on a kill ladder; `climb` does the steps."""
        self._ladder = ladder
        self._steps_taken = 0
        self._ending_since_ns = now_ns

    def climb(self, now_ns: int) -> Signals | None:
        """Send the signal that is due, if one is, and say which."""
        signal = ladder_step(self._ladder, self._steps_taken, now_ns - self._ending_since_ns)
        if signal is not None:
            self._steps_taken += 1
            self.send(signal)
        return signal

    def send(self, signal: Signals) -> None:
        """Send it a signal, if it is there."""
        if self.spawned:
            self.spawned.popen.send_signal(signal)  # does nothing once it has been reaped
