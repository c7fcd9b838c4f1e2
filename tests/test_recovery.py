"""What is done about processes that die, hang or will not stop."""

from dataclasses import replace
from signal import SIGKILL, SIGTERM, SIGUSR1

import pytest

from appliance.supervision.process_table import Process
from appliance.supervision.recovery import (
    STOP_LADDER,
    STUCK_LADDER,
    OpenCircuit,
    Restart,
    Signs,
    Verdict,
    after_exit,
    ladder_step,
    lets_pass,
    overdue,
)
from appliance.units import NS_PER_MS, NS_PER_S

NOW_NS = 1_000 * NS_PER_S
WORKER = Process("toy", "toys", reads=(), writes=(), ready_s=60, heartbeat_s=2, busy_s=5)


def ago(seconds: float) -> int:
    return NOW_NS - int(seconds * NS_PER_S)


@pytest.mark.parametrize(
    ("exits_s_ago", "action"),
    [
        ([], Restart(after_ms=0)),
        ([0], Restart(after_ms=0)),
        ([1, 0], Restart(after_ms=200)),
        ([2, 1, 0], Restart(after_ms=500)),
        ([3, 2, 1, 0], Restart(after_ms=1000)),
        ([4, 3, 2, 1, 0], OpenCircuit()),
        ([59, 45, 30, 15, 0], OpenCircuit()),
        ([90, 80, 70, 61, 0], Restart(after_ms=0)),  # old deaths are forgiven
        ([90, 80, 3, 2, 1, 0], Restart(after_ms=1000)),
        ([34, 33, 32, 31, 30, 0], OpenCircuit()),  # the probe died as well
        ([94, 93, 92, 91, 0], Restart(after_ms=0)),  # the probe lived for a while
    ],
)
def test_after_an_exit(exits_s_ago, action):
    assert after_exit([ago(seconds) for seconds in exits_s_ago], NOW_NS) == action


def test_what_cannot_start_is_not_tried_in_a_loop():
    assert after_exit([NOW_NS], NOW_NS, cannot_start=True) == OpenCircuit()


@pytest.mark.parametrize(
    ("is_first", "first_are_ready", "elapsed_s", "waits"),
    [
        (True, False, 0.0, False),
        (False, False, 0.0, True),
        (False, False, 0.9, True),
        (False, True, 0.3, False),
        (False, False, 1.1, False),  # one of them does not come up: the others are needed all the same
    ],
)
def test_whoever_carries_calls_begins_first(is_first, first_are_ready, elapsed_s, waits):
    process = replace(WORKER, is_first=is_first)
    assert lets_pass(process, first_are_ready, int(elapsed_s * NS_PER_S)) is waits


@pytest.mark.parametrize(
    ("ladder", "steps_taken", "elapsed_ms", "signal"),
    [
        (STUCK_LADDER, 0, 0, SIGTERM),
        (STUCK_LADDER, 1, 499, None),
        (STUCK_LADDER, 1, 500, SIGUSR1),
        (STUCK_LADDER, 2, 500, None),
        (STUCK_LADDER, 2, 750, SIGKILL),
        (STUCK_LADDER, 1, 5000, SIGUSR1),  # a late turn skips no step: the stack is wanted
        (STUCK_LADDER, 3, 60_000, None),  # nothing is left to do
        (STOP_LADDER, 0, 0, SIGTERM),
        (STOP_LADDER, 1, 4999, None),
        (STOP_LADDER, 1, 5000, SIGUSR1),
        (STOP_LADDER, 2, 5250, SIGKILL),
        ((), 0, 0, None),
    ],
)
def test_the_kill_ladder(ladder, steps_taken, elapsed_ms, signal):
    assert ladder_step(ladder, steps_taken, elapsed_ms * NS_PER_MS) == signal


@pytest.mark.parametrize(
    ("signs", "verdict"),
    [
        (Signs(spawned_ns=ago(59), ready_ns=0, heartbeat_ns=0, busy_until_ns=0), Verdict.STARTING),
        (Signs(spawned_ns=ago(61), ready_ns=0, heartbeat_ns=0, busy_until_ns=0), Verdict.NOT_READY),
        (Signs(spawned_ns=ago(61), ready_ns=0, heartbeat_ns=ago(0), busy_until_ns=0), Verdict.NOT_READY),
        (Signs(ago(90), ready_ns=ago(80), heartbeat_ns=ago(0.5), busy_until_ns=0), Verdict.OK),
        (Signs(ago(90), ready_ns=ago(80), heartbeat_ns=ago(1.5), busy_until_ns=0), Verdict.LATE),
        (Signs(ago(90), ready_ns=ago(80), heartbeat_ns=ago(2.5), busy_until_ns=0), Verdict.SILENT),
        (Signs(ago(90), ready_ns=ago(80), heartbeat_ns=ago(4), busy_until_ns=ago(-1)), Verdict.OK),
        (Signs(ago(90), ready_ns=ago(80), heartbeat_ns=ago(6), busy_until_ns=ago(1)), Verdict.BUSY_TOO_LONG),
        (Signs(ago(61), ready_ns=0, heartbeat_ns=0, busy_until_ns=ago(-1)), Verdict.OK),  # warming up, with a deadline
        (Signs(ago(90), ago(80), ago(0.4), busy_until_ns=ago(-9), halted_ns=ago(0.08)), Verdict.OK),
        (Signs(ago(90), ago(80), ago(0.1), busy_until_ns=ago(-9), halted_ns=ago(0.1)), Verdict.HALTED),
        (Signs(ago(1), ready_ns=0, heartbeat_ns=0, busy_until_ns=0, halted_ns=ago(0.1)), Verdict.HALTED),
        (Signs(ago(90), ago(80), ago(0.9), busy_until_ns=ago(-4), still_ns=ago(0.5)), Verdict.OK),
        (Signs(ago(90), ago(80), ago(0.5), busy_until_ns=ago(-4), still_ns=ago(0.9)), Verdict.OK),  # the loop turns
        (Signs(ago(90), ago(80), ago(0.9), busy_until_ns=ago(-4), still_ns=ago(0.9)), Verdict.STILL),
        (Signs(ago(90), ago(80), ago(0.9), busy_until_ns=0, still_ns=ago(0.9)), Verdict.STILL),
        (Signs(ago(90), ago(80), ago(4), ago(-4), still_ns=ago(4), may_rest=True), Verdict.OK),
        (Signs(ago(90), ago(80), ago(6), ago(1), still_ns=ago(6), may_rest=True), Verdict.BUSY_TOO_LONG),
        (Signs(ago(9), ready_ns=0, heartbeat_ns=0, busy_until_ns=0, still_ns=ago(8)), Verdict.STARTING),
    ],
)
def test_how_a_process_does(signs, verdict):
    assert overdue(signs, WORKER, NOW_NS) is verdict


@pytest.mark.parametrize("verdict", Verdict)
def test_only_a_missed_deadline_is_stuck(verdict):
    assert verdict.stuck == (verdict not in {Verdict.STARTING, Verdict.OK, Verdict.LATE})


def test_who_calls_no_engine_may_rest_between_its_turns():
    looks_on = Process("toy", "toys", reads=(), writes=(), ready_s=60, heartbeat_s=10)
    assert overdue(Signs(ago(90), ago(80), ago(3), 0, still_ns=ago(3)), looks_on, NOW_NS) is Verdict.OK
