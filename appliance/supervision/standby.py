"""Who may wait to take over for a process, and when it does: functions of values, nothing else."""

from collections.abc import Sequence
from dataclasses import replace
from signal import SIGKILL, SIGUSR1

from appliance.supervision.process_table import Process
from appliance.supervision.recovery import CRASH_WINDOW_NS, STUCK_LADDER, Ladder, Signs, Verdict
from appliance.units import NS_PER_S

LOADING_PATIENCE = 3  # a standby loads when nobody else needs the processor: so many times as long as its process
SILENT_NS = 5 * NS_PER_S  # a waiting one that shows no life for so long is replaced
FRESH_NS = NS_PER_S  # ... and takes over nothing when it has shown none for so long

# After its own end, by how many of them there were of late: it costs a model read from disk each time.
WINDOW_NS = 1800 * NS_PER_S
BACKOFF_S = (0, 5, 15, 60, 300)
CANNOT_START_S = 600  # trying again at once would end the same way

TAKE_OVER_S = 5.0  # from the word to ready: everything is loaded
RESERVE_BYTES = 256 << 20  # of memory stay free for those who work

# While somebody waits, a process that stands still is not given the time to end by itself: the stack, then the end.
TAKE_OVER_LADDER: Ladder = ((SIGUSR1, 100), (SIGKILL, 0))
HALTED_LADDER: Ladder = ((SIGKILL, 0),)  # who is halted hears no other signal
PATIENCE_S = 0.8  # ... and a heart that stops is noticed after so long, unless it has just been replaced


def is_due(active: Signs, settle_s: float, not_before_ns: int, now_ns: int) -> bool:
    """Whether a standby may be started: the one that works does so, and has caught up.

    active: of the process that it is to wait for; settle_s: for how long that one has the processor to itself;
    not_before_ns: when the pause after the standby's own last end is over.
    """
    return 0 < active.ready_ns <= now_ns - settle_s * NS_PER_S and now_ns >= not_before_ns


def may_load(process: Process, another_loads: bool) -> bool:
    """Whether the standby of `process` may load now: models one after another, they cost the processor some seconds.

    Whoever calls no engine has none to read, and its listeners would hear a gap if it died again meanwhile.
    """
    return not (another_loads and process.busy_s)


def has_room(free_bytes: int, needed_bytes: int) -> bool:
    """Whether the memory that a standby takes is there, and enough left for those who work."""
    return free_bytes >= needed_bytes + RESERVE_BYTES


def pause_s(exits_ns: Sequence[int], now_ns: int, cannot_start: bool = False) -> int:
    """How long to do without after a standby has ended by itself; `exits_ns`: when that was so far, this one too."""
    if cannot_start:
        return CANNOT_START_S
    recent = sum(now_ns - exited_ns < WINDOW_NS for exited_ns in exits_ns)
    return BACKOFF_S[min(recent, len(BACKOFF_S) - 1)]


def judge(signs: Signs, ready_s: float, now_ns: int) -> Verdict:
    """How a standby does that loads or waits; `ready_s`: of its process."""
    if not signs.ready_ns:
        in_time = now_ns - signs.spawned_ns <= LOADING_PATIENCE * ready_s * NS_PER_S
        return Verdict.STARTING if in_time else Verdict.NOT_READY
    return Verdict.OK if now_ns - signs.heartbeat_ns <= SILENT_NS else Verdict.SILENT


def can_take_over(signs: Signs, now_ns: int) -> bool:
    """Whether it is warm, and was alive just now."""
    return bool(signs.ready_ns) and now_ns - signs.heartbeat_ns <= FRESH_NS


def patience(process: Process, waits: bool, exits_ns: Sequence[int], now_ns: int) -> Process:
    """The row of the process table that a process is judged by; `waits`: somebody can take over from it.

    One that was replaced a moment ago has the time that everybody has: a starved machine is not helped by more deaths.
    """
    calm = not any(now_ns - exited_ns < CRASH_WINDOW_NS for exited_ns in exits_ns)
    return replace(process, heartbeat_s=min(process.heartbeat_s, PATIENCE_S)) if waits and calm else process


def stuck_ladder(verdict: Verdict, waits: bool) -> Ladder:
    """How somebody is ended who is stuck; `waits`: somebody can take over."""
    if verdict is Verdict.HALTED:
        return HALTED_LADDER
    return TAKE_OVER_LADDER if waits else STUCK_LADDER
