"""Looks after the standbys: starts each when the machine has time for it, replaces those that die, hands them over."""

import signal
from collections import deque
from collections.abc import Callable, Sequence

import psutil

from appliance import clock
from appliance.frames.messages import HealthEvent, JournalEntry, LogLine
from appliance.supervision import standby as policy
from appliance.supervision.child import Child
from appliance.supervision.launcher import Launcher, Spawned
from appliance.supervision.process_table import Process, standby_of
from appliance.supervision.recovery import EXIT_CANNOT_START, Verdict
from appliance.supervision.vitals import State, Vitals
from appliance.units import NS_PER_S

ROOM_AGAIN_NS = 30 * NS_PER_S  # memory is looked at so often while it is short


class Standby:
    """Whoever waits to take over for one process, or the empty place of it."""

    def __init__(self, process: Process, vitals: Vitals) -> None:
        self.process = process
        self.name = standby_of(process.name)
        self.vitals = vitals
        self.spawned: Spawned | None = None
        self.exits_ns: deque[int] = deque(maxlen=16)
        self.not_before_ns = 0
        self.lacks_room = False
        vitals.state = State.WAITING

    @property
    def is_loading(self) -> bool:
        """Whether it is on its way."""
        return self.vitals.state is State.STARTING

    def spawn(self, launcher: Launcher, now_ns: int) -> None:
        """Start it. Raises OSError."""
        self.vitals.begin(now_ns)
        self.spawned = launcher.spawn_standby(self.process)
        self.vitals.spawned(self.spawned.popen.pid)

    def leave(self, state: State) -> Spawned:
        """The place is empty again; returns who was in it."""
        assert self.spawned
        gone, self.spawned = self.spawned, None
        self.vitals.state = state
        return gone


class Standbys:
    """The standbys of one appliance. `write` takes down what happens to them.

    settle_s: for how long a process is left alone after its start, before one is started that waits for it.
    """

    def __init__(
        self, standbys: Sequence[Standby], launcher: Launcher, write: Callable[[JournalEntry], None], settle_s: float
    ) -> None:
        self._by_name = {each.process.name: each for each in standbys}
        self._launcher = launcher
        self._write = write
        self._settle_s = settle_s

    def wait_for(self, name: str, now_ns: int) -> bool:
        """Whether somebody is warm, alive and waits to take over for process `name`."""
        one = self._by_name.get(name)
        if one is None or one.spawned is None or one.spawned.popen.poll() is not None:
            return False
        return policy.can_take_over(one.vitals.signs(), now_ns)

    def take(self, name: str, now_ns: int) -> Spawned | None:
        """Who takes over for process `name`, given out of our hands; None: nobody waits."""
        if not self.wait_for(name, now_ns):
            return None
        self._read_output(self._by_name[name])
        return self._by_name[name].leave(State.WAITING)

    def look_after(self, children: Sequence[Child], now_ns: int, may_judge: bool) -> None:
        """See how each does, and start the next one that is due and may load.

        may_judge: the machine itself was not away just now.
        """
        for one in self._by_name.values():
            if one.spawned:
                self._look_after(one, now_ns, may_judge)
        another_loads = any(one.is_loading for one in self._by_name.values())
        for child in children:
            wanted = self._by_name.get(child.name)
            if not policy.may_load(child.process, another_loads):
                continue
            if wanted and self._is_due(wanted, child, now_ns) and self._has_room(wanted, child, now_ns):
                self._start(wanted, now_ns)
                return

    @property
    def waiting(self) -> int:
        """How many are warm."""
        return sum(one.vitals.state is State.STANDBY for one in self._by_name.values())

    def dismiss(self) -> None:
        """End them all: they have nothing to finish."""
        for one in self._by_name.values():
            if one.spawned:
                one.spawned.popen.kill()
                one.spawned.popen.wait()
                one.leave(State.STOPPED).close()

    def _is_due(self, one: Standby, child: Child, now_ns: int) -> bool:
        if one.spawned or not child.works:
            return False
        # Whoever calls no engine has nothing to catch up with, and its standby nothing to load.
        settle_s = self._settle_s if child.process.busy_s else 0
        return policy.is_due(child.vitals.signs(), settle_s, one.not_before_ns, now_ns)

    def _look_after(self, one: Standby, now_ns: int, may_judge: bool) -> None:
        assert one.spawned
        self._read_output(one)
        if (status := one.spawned.popen.poll()) is not None:
            self._exited(one, status, now_ns)
            return
        verdict = policy.judge(one.vitals.signs(), one.process.ready_s, now_ns)
        if verdict.stuck and may_judge:
            self._event(one, f"stuck: {verdict.value}", "SIGKILL")
            one.spawned.popen.kill()  # its end is seen at the next turn
        elif verdict is Verdict.OK and one.is_loading:
            one.vitals.state = State.STANDBY
            self._event(one, "standby", "waits to take over")

    def _start(self, one: Standby, now_ns: int) -> None:
        self._event(one, "starting", "spawn")
        try:
            one.spawn(self._launcher, now_ns)
        except OSError as error:
            self._do_without(one, f"not started ({error.strerror})", False, now_ns)

    def _exited(self, one: Standby, status: int, now_ns: int) -> None:
        self._read_output(one)
        one.leave(State.WAITING).close()
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        self._do_without(one, f"exited ({how})", status == EXIT_CANNOT_START, now_ns)

    def _do_without(self, one: Standby, how: str, cannot_start: bool, now_ns: int) -> None:
        """It has ended by itself, which is no fault of the one that works."""
        one.exits_ns.append(now_ns)
        one.vitals.exits += 1
        one.vitals.state = State.WAITING
        pause_s = policy.pause_s(one.exits_ns, now_ns, cannot_start)
        one.not_before_ns = now_ns + pause_s * NS_PER_S
        self._event(one, how, f"another one in {pause_s} s")

    def _has_room(self, one: Standby, child: Child, now_ns: int) -> bool:
        """Whether there is memory for it, as much as the one that works takes; tells it once when not."""
        try:
            taken = psutil.Process(child.vitals.pid).memory_info()
        except psutil.Error:  # it has just ended
            return False
        free, needed = psutil.virtual_memory().available, taken.rss - taken.shared
        has_room = policy.has_room(free, needed)
        if not has_room:
            one.not_before_ns = now_ns + ROOM_AGAIN_NS
            if not one.lacks_room:
                megabytes = f"{free >> 20} MB are free, {needed + policy.RESERVE_BYTES >> 20} MB are needed"
                self._event(one, "no memory", f"a restart of {child.name} will take longer: {megabytes}")
        one.lacks_room = not has_room
        return has_room

    def _read_output(self, one: Standby) -> None:
        assert one.spawned
        if not one.spawned.output.ended:
            for line in one.spawned.output.lines():
                self._write(LogLine(process=one.name, level="output", text=line, ts_ns=clock.now_ns()))

    def _event(self, one: Standby, status: str, action: str) -> None:
        self._write(HealthEvent(one.name, status, action, clock.now_ns()))
