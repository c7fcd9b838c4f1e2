"""The watchdog's loop: every 50 ms it looks after each worker, and writes down what they have to say."""

import selectors
import signal
from collections.abc import Callable, Sequence
from types import FrameType

from appliance import clock
from appliance.frames.messages import HealthEvent, LogLine
from appliance.supervision.child import Child
from appliance.supervision.chronicle import Chronicle
from appliance.supervision.launcher import Launcher, Spawned
from appliance.supervision.notify import Notify
from appliance.supervision.recovery import (
    EXIT_CANNOT_START,
    STOP_LADDER,
    OpenCircuit,
    Signs,
    Verdict,
    after_exit,
    lets_pass,
    overdue,
)
from appliance.supervision.standby import patience, stuck_ladder
from appliance.supervision.standbys import Standbys
from appliance.supervision.vitals import State, Vitals
from appliance.units import NS_PER_MS, NS_PER_S

TURN_NS = 50 * NS_PER_MS
# After a pause of the whole machine (suspended, starved of CPU), workers get so long to show that they are alive.
PAUSE_NS = 4 * TURN_NS
AMNESTY_NS = NS_PER_S


class Supervisor:
    """Keeps `children` alive until it is told to stop by SIGTERM, SIGINT or SIGHUP; a second such signal kills at once.

    `drain` moves the workers' journals to `out`; `notify` tells the service manager. Order of `children`: the last one
    is stopped first and alone, because it leaves things outside this machine's memory to clean (channels); then the
    rest.
    """

    def __init__(
        self,
        children: Sequence[Child],
        launcher: Launcher,
        standbys: Standbys,
        vitals: Vitals,
        out: Chronicle,
        drain: Callable[[], None],
        notify: Notify,
    ) -> None:
        self._children = children
        self._launcher = launcher
        self._standbys = standbys
        self._vitals = vitals
        self._out = out
        self._drain = drain
        self._notify = notify
        self._selector = selectors.DefaultSelector()
        self._stop_signals = 0
        self._last_turn_ns = clock.now_ns()
        self._judge_from_ns = 0
        self._told_ready = False
        self._began_ns = clock.now_ns()

    def run(self) -> None:
        """Start all workers, keep them alive, stop them in order."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_stop_signal)
        self._vitals.state = State.UP
        try:
            while not self._stop_signals:
                self._turn(self._look_after)
                if self._told_ready:
                    now_ns = clock.now_ns()
                    self._standbys.look_after(self._children, now_ns, may_judge=now_ns >= self._judge_from_ns)
            self._shut_down()
        finally:
            self._standbys.dismiss()
            self._kill_all()
            self._selector.close()

    def _on_stop_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop_signals += 1

    # --- one turn of the loop ---

    def _turn(self, look_after: Callable[[Child, int], None]) -> None:
        """Wait for the next turn, a death or output, whichever is first; then see to every child."""
        for key, _ in self._selector.select((self._last_turn_ns + TURN_NS - clock.now_ns()) / NS_PER_S):
            if key.data:
                self._read_output(key.data)
        now_ns = clock.now_ns()
        if now_ns - self._last_turn_ns > PAUSE_NS:
            self._judge_from_ns = now_ns + AMNESTY_NS
        self._last_turn_ns = now_ns
        self._vitals.beat()
        for child in self._children:
            look_after(child, now_ns)
        self._drain()
        self._out.flush()
        self._notify.alive(now_ns)
        self._notify.status(self._sentence())

    def _look_after(self, child: Child, now_ns: int) -> None:
        if not child.spawned:
            if child.restart_at_ns is not None and now_ns >= child.restart_at_ns and not self._yields(child, now_ns):
                self._spawn(child, now_ns)
        elif (status := child.exit_status()) is not None:
            self._exited(child, status, now_ns)
        elif child.ending:
            self._climb(child, now_ns)
        else:
            self._judge(child, now_ns)

    def _yields(self, child: Child, now_ns: int) -> bool:
        first_are_ready = all(each.was_ready for each in self._children if each.process.is_first)
        return lets_pass(child.process, first_are_ready or self._told_ready, now_ns - self._began_ns)

    def _spawn(self, child: Child, now_ns: int) -> None:
        if standby := self._standbys.take(child.name, now_ns):
            child.succeed(standby, now_ns)
            self._watch(child, standby)
            self._event(child.name, "starting", "the standby takes over")
            return
        self._event(child.name, "starting", "restart" if child.exits_ns else "spawn")
        try:
            self._watch(child, child.spawn(self._launcher, now_ns))
        except OSError as error:
            child.exits_ns.append(now_ns)
            self._plan_restart(child, f"not started ({error.strerror})", False, now_ns)

    def _watch(self, child: Child, spawned: Spawned) -> None:
        self._selector.register(spawned.pidfd, selectors.EVENT_READ)
        if not spawned.output.ended:
            self._selector.register(spawned.output.descriptor, selectors.EVENT_READ, child)

    def _judge(self, child: Child, now_ns: int) -> None:
        waits = self._standbys.wait_for(child.name, now_ns)
        deadlines = patience(child.deadlines, waits, child.exits_ns, now_ns)
        verdict = overdue(child.signs(now_ns), deadlines, now_ns)
        if verdict.stuck:
            if now_ns >= self._judge_from_ns:
                self._begin_to_end(child, verdict, now_ns)
        elif verdict is Verdict.LATE:
            child.vitals.state = State.LATE
        elif verdict is Verdict.OK:
            child.vitals.state = State.UP
            if not child.was_ready:
                self._became_ready(child)

    def _became_ready(self, child: Child) -> None:
        child.was_ready = True
        self._event(child.name, "up", "ready")
        if not self._told_ready and all(each.was_ready for each in self._children if each.process.needed):
            self._told_ready = True
            self._event("watchdog", "up", "ready")
            self._notify.ready()

    def _begin_to_end(self, child: Child, verdict: Verdict, now_ns: int) -> None:
        self._log("error", f"{child.name} is stuck: {verdict.value}")
        child.vitals.state = State.STUCK
        waits = self._standbys.wait_for(child.name, now_ns)
        child.begin_to_end(stuck_ladder(verdict, waits), now_ns)
        self._climb(child, now_ns)

    def _climb(self, child: Child, now_ns: int) -> None:
        if step := child.climb(now_ns):
            self._event(
                child.name, child.vitals.state.name.lower(), step.name, _silence_ms(child.vitals.signs(), now_ns)
            )

    # --- deaths ---

    def _exited(self, child: Child, status: int, now_ns: int) -> None:
        self._bury(child, now_ns)
        child.vitals.exits += 1
        how = f"exited ({signal.Signals(-status).name if status < 0 else f'status {status}'})"
        self._plan_restart(child, how, status == EXIT_CANNOT_START, now_ns)
        self._look_after(child, now_ns)

    def _plan_restart(self, child: Child, how: str, cannot_start: bool, now_ns: int) -> None:
        waits = self._standbys.wait_for(child.name, now_ns)
        action = after_exit(child.exits_ns, now_ns, cannot_start, standby_waits=waits)
        if isinstance(action, OpenCircuit):
            child.vitals.state = State.CIRCUIT_OPEN
            wait_ms = action.probe_ms
            self._event(child.name, how, f"open circuit, try again in {wait_ms // 1000} s")
        else:
            child.vitals.state = State.WAITING
            wait_ms = action.after_ms
            self._event(child.name, how, f"restart in {wait_ms} ms")
        child.restart_at_ns = now_ns + wait_ms * NS_PER_MS

    def _bury(self, child: Child, now_ns: int) -> None:
        assert child.spawned
        for _ in range(2):  # what it still had to say, and the end of it
            if not child.spawned.output.ended:
                self._read_output(child)
        if not child.spawned.output.ended:  # something it started still holds its output open
            self._selector.unregister(child.spawned.output.descriptor)
        self._selector.unregister(child.spawned.pidfd)
        child.buried(now_ns)

    # --- the end ---

    def _shut_down(self) -> None:
        self._event("watchdog", "stopping", "shutdown")
        self._notify.stopping()
        self._standbys.dismiss()
        self._vitals.state = State.STOPPING
        for child in self._children:
            child.restart_at_ns = None
        *rest, first = self._children
        self._stop([first])
        self._stop(rest[::-1])
        self._event("watchdog", "stopped", "")
        self._drain()
        self._out.flush()

    def _stop(self, group: Sequence[Child]) -> None:
        for child in group:
            if child.spawned:
                child.vitals.state = State.STOPPING
                child.begin_to_end(STOP_LADDER, clock.now_ns())
        while any(child.spawned for child in group) and self._stop_signals < 2:
            self._turn(self._let_end)

    def _let_end(self, child: Child, now_ns: int) -> None:
        if child.spawned and child.exit_status() is not None:
            self._bury(child, now_ns)
            child.vitals.state = State.STOPPED
            self._event(child.name, "stopped", "")
        elif child.ending:
            self._climb(child, now_ns)

    def _kill_all(self) -> None:
        """Whatever is still there, when a second signal or an error cuts the shutdown short."""
        for child in self._children:
            if child.spawned:
                child.send(signal.SIGKILL)
                child.spawned.popen.wait()
                self._bury(child, clock.now_ns())
                child.vitals.state = State.STOPPED

    # --- what is written down ---

    def _read_output(self, child: Child) -> None:
        assert child.spawned
        output = child.spawned.output
        for line in output.lines():
            self._out.write(LogLine(process=child.name, level="output", text=line, ts_ns=clock.now_ns()))
        if output.ended:
            self._selector.unregister(output.descriptor)

    def _sentence(self) -> str:
        """How the appliance does, in a few words."""
        odd = [f"{child.name} {child.vitals.state.words}" for child in self._children if not child.works]
        return ", ".join(odd) or f"{len(self._children)} processes work, {self._standbys.waiting} wait to take over"

    def _event(self, component: str, status: str, action: str, lag_ms: float = 0.0) -> None:
        self._out.write(HealthEvent(component, status, action, clock.now_ns(), lag_ms=lag_ms))

    def _log(self, level: str, text: str) -> None:
        self._out.write(LogLine(process="watchdog", level=level, text=text, ts_ns=clock.now_ns()))


def _silence_ms(signs: Signs, now_ns: int) -> float:
    """How long nothing has been heard of a process."""
    return round((now_ns - max(signs.spawned_ns, signs.heartbeat_ns)) / NS_PER_MS, 1)
