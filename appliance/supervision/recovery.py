"""What to do about a process that has died, hangs or will not stop: functions of values, nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from signal import SIGKILL, SIGTERM, SIGUSR1, Signals

from appliance.supervision.process_table import Process
from appliance.supervision.stillness import LIMIT_NS
from appliance.units import NS_PER_MS, NS_PER_S

EXIT_CANNOT_START = 78  # EX_CONFIG of sysexits.h: trying again at once would end the same way

CRASH_WINDOW_NS = 60 * NS_PER_S
CRASH_LIMIT = 5
BACKOFF_MS = (0, 0, 200, 500, 1000)  # by the number of recent exits
PROBE_MS = 30_000  # with the circuit open, it is tried this often

HEAD_START_NS = NS_PER_S  # at most
HALTED_NS = 90 * NS_PER_MS  # two or three looks: a debugger that attaches halts it for a moment only

# How long each step of the kill ladder is given before the next.
STUCK_LADDER = ((SIGTERM, 500), (SIGUSR1, 250), (SIGKILL, 0))
STOP_LADDER = ((SIGTERM, 5000), (SIGUSR1, 250), (SIGKILL, 0))
Ladder = tuple[tuple[Signals, int], ...]


@dataclass(frozen=True, slots=True)
class Restart:
    """Spawn it again after `after_ms`."""

    after_ms: int


@dataclass(frozen=True, slots=True)
class OpenCircuit:
    """Do without it; try it again after `probe_ms`."""

    probe_ms: int = PROBE_MS


def after_exit(
    exits_ns: Sequence[int], now_ns: int, cannot_start: bool = False, standby_waits: bool = False
) -> Restart | OpenCircuit:
    """What to do after a process has exited: restart now, restart later, or open the circuit.

    `exits_ns`: when it exited so far, this time included; `cannot_start`: it said itself that it cannot;
    `standby_waits`: somebody takes over who has begun already. The pause is for those who would begin anew.
    """
    recent = sum(now_ns - exited_ns < CRASH_WINDOW_NS for exited_ns in exits_ns)
    if cannot_start or recent >= CRASH_LIMIT:
        return OpenCircuit()
    return Restart(after_ms=0 if standby_waits else BACKOFF_MS[min(recent, len(BACKOFF_MS) - 1)])


def lets_pass(process: Process, first_are_ready: bool, elapsed_ns: int) -> bool:
    """Whether a process waits with its start, `elapsed_ns` after the watchdog's own.

    Calls may be up, and nobody hears anything before those who carry them are back: engines that load at the same
    time would take the processor from them.
    """
    return not (process.is_first or first_are_ready or elapsed_ns > HEAD_START_NS)


def ladder_step(ladder: Ladder, steps_taken: int, elapsed_ns: int) -> Signals | None:
    """The signal to send now to a process that is to end, `elapsed_ns` after the first step; None: wait."""
    due_ms = 0
    for step, (signal, grace_ms) in enumerate(ladder):
        if step == steps_taken:
            return signal if elapsed_ns >= due_ms * NS_PER_MS else None
        due_ms += grace_ms
    return None


class Verdict(Enum):
    """How a running process does; the value says it in words."""

    STARTING = "warming up"
    OK = "ok"
    LATE = "late"  # past half of its deadline
    NOT_READY = "not ready in time"
    SILENT = "no heartbeat"
    BUSY_TOO_LONG = "busy past its deadline"
    STILL = "hangs"  # its loop does not turn, and nothing else is done in it
    HALTED = "halted by a signal"  # SIGSTOP: it does nothing at all, whatever it is allowed the time for

    @property
    def stuck(self) -> bool:
        """Whether a deadline of the process table is over: time for the kill ladder."""
        return self not in (Verdict.STARTING, Verdict.OK, Verdict.LATE)


@dataclass(frozen=True, slots=True)
class Signs:
    """The vital signs that a verdict is made of, in CLOCK_MONOTONIC ns; 0: not (yet)."""

    spawned_ns: int
    ready_ns: int
    heartbeat_ns: int
    busy_until_ns: int
    halted_ns: int = 0  # since when the kernel says that it is halted …
    still_ns: int = 0  # … or that it has used no processor time
    may_rest: bool = False  # the engine call that it is in need not use any


def overdue(signs: Signs, process: Process, now_ns: int) -> Verdict:
    """Judge a running process by its vital signs against its deadlines in the process table."""
    if signs.halted_ns and now_ns - signs.halted_ns > HALTED_NS:
        return Verdict.HALTED
    if process.busy_s and signs.ready_ns and _hangs(signs, now_ns):
        return Verdict.STILL
    if signs.busy_until_ns:
        return Verdict.OK if now_ns <= signs.busy_until_ns else Verdict.BUSY_TOO_LONG
    if not signs.ready_ns:
        return Verdict.STARTING if now_ns - signs.spawned_ns <= process.ready_s * NS_PER_S else Verdict.NOT_READY
    silent_ns = now_ns - signs.heartbeat_ns
    if silent_ns > process.heartbeat_s * NS_PER_S:
        return Verdict.SILENT
    return Verdict.LATE if silent_ns > process.heartbeat_s * NS_PER_S / 2 else Verdict.OK


def _hangs(signs: Signs, now_ns: int) -> bool:
    """Whether the work loop of somebody who calls engines stands still, and no engine computes in the meantime."""
    if not signs.still_ns or signs.may_rest:
        return False
    return now_ns - max(signs.still_ns, signs.heartbeat_ns) > LIMIT_NS
