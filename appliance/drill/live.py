"""A drill on the appliance that runs here: each of its processes is killed and stopped once, one after another."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from appliance import clock
from appliance.drill.table import Bounds, Fault, Outcome
from appliance.drill.watch import Watch
from appliance.frames.memory import Memory
from appliance.supervision import snapshot
from appliance.supervision.process_table import WATCHDOG, WORKERS
from appliance.supervision.vitals import Vitals
from appliance.units import NS_PER_S

SEEN_MS = 1_000.0  # the watchdog looks twenty times a second
GAP_MS = 250.0
START_S = 30.0  # until everything is up again between two faults
SETTLED_S = 5.0  # until what a fault has left is cleared away
LOOK_S = 0.05
SHM = Path("/dev/shm")

Lost = Callable[[set[str]], int]  # how many of the rooms that are not there any more were lost, not ended


class DrillRefused(Exception):  # noqa: N818 (a refusal is an answer, and it reads as one)
    """There can be no drill; the message is one sentence: what, where, what to do."""


def kill(pid: int, _vitals: Vitals) -> None:
    """As the kernel does when memory is short."""
    os.kill(pid, signal.SIGKILL)


def stand_still(pid: int, vitals: Vitals) -> None:
    """As a process does that waits for ever; outside its engine calls, which have deadlines of their own."""
    os.kill(pid, signal.SIGSTOP)
    while vitals.busy_until_ns:
        os.kill(pid, signal.SIGCONT)
        clock.sleep_s(0.01)
        os.kill(pid, signal.SIGSTOP)


STRIKES = {"kill -9": kill, "SIGSTOP": stand_still}


def faults() -> tuple[Fault, ...]:
    """What is safe to be broken while people talk. Nobody waits for `ops`: it is not stopped."""
    killed = [(row, "kill -9") for row in WORKERS]
    stopped = [(row, "SIGSTOP") for row in WORKERS if row.needed]
    return tuple(
        Fault(number, row.name, how, Bounds(SEEN_MS, row.ready_s, GAP_MS))
        for number, (row, how) in enumerate([*killed, *stopped], 1)
    )


def run(instance: str, chosen: tuple[Fault, ...], lost: Lost) -> Iterator[tuple[Fault, Outcome]]:
    """Make the faults, one after another, and say what became of each; no more after one that is not overcome.

    Raises DrillRefused where not everything is up to begin with, and MemoryRefused where nothing runs.
    """
    memory = Memory.attach(instance)
    try:
        _require_health(memory)
        for fault in chosen:
            outcome = _struck(memory, fault, lost)
            yield fault, outcome
            if outcome.never_back:
                return
    finally:
        memory.close()


def rooms(memory: Memory) -> set[str]:
    """The names of the conversations that are up."""
    return {leg.room for leg in memory.read_roster()[1].legs}


def _struck(memory: Memory, fault: Fault, lost: Lost) -> Outcome:
    before, talking = _objects(memory), rooms(memory)
    vitals = Vitals(memory.vitals(fault.name))
    with Watch(memory.instance, fault.name) as watch:
        since_ns = clock.now_ns()
        try:
            STRIKES[fault.how](vitals.pid, vitals)
        except PermissionError:
            raise DrillRefused(
                f"{fault.name} belongs to another user: run dragoman chaos as the user that the appliance runs as"
            ) from None
        is_back = watch.wait_until_back(fault.bounds.back_s or START_S) and _until(lambda: _is_healthy(memory), START_S)
        outcome = Outcome(watch.seen_ms(since_ns), watch.back_s(since_ns), watch.gap_ms, never_back=not is_back)
    _until(lambda: _objects(memory) <= before, SETTLED_S)
    return Outcome(
        outcome.seen_ms,
        outcome.back_s,
        outcome.gap_ms,
        lost(talking - rooms(memory)),
        tuple(sorted(_objects(memory) - before)),
        outcome.never_back,
    )


def _require_health(memory: Memory) -> None:
    needed = [each for each in snapshot.take(memory).processes if not each.waits_for]
    ailing = [each.name for each in needed if each.state not in ("up", "late")]
    if ailing:
        raise DrillRefused(
            f'no drill: {", ".join(ailing)} of dragoman "{memory.instance}" is not up; see: dragoman status'
        )


def _is_healthy(memory: Memory) -> bool:
    return snapshot.take(memory).healthy


def _objects(memory: Memory) -> set[str]:
    """Everything of this instance that could be left behind."""
    shared = {f"/dev/shm/{path.name}" for path in SHM.glob(f"*dragoman-{memory.instance}*")}
    return shared | {f"process {number}" for number, _ in enumerate(workers(memory), 1)}


def workers(memory: Memory) -> list[psutil.Process]:
    """Everything that the watchdog has started; without the standbys, which come when there is time for them."""
    standbys = {each.pid for each in snapshot.take(memory).processes if each.waits_for}
    try:
        started = psutil.Process(Vitals(memory.vitals(WATCHDOG.name)).pid).children(recursive=True)
    except psutil.Error:  # it has just ended
        return []
    return [each for each in started if each.pid not in standbys]


def _until(holds: Callable[[], bool], patience_s: float) -> bool:
    deadline_ns = clock.now_ns() + int(patience_s * NS_PER_S)
    while not holds():
        if clock.now_ns() > deadline_ns:
            return False
        clock.sleep_s(LOOK_S)
    return True
