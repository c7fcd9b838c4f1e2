"""Who does nothing at all, as values, and as the kernel tells it of real processes."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from appliance.clock import now_ns, sleep_s
from appliance.supervision.stillness import (
    AWAY_NS,
    LIMIT_NS,
    TRIFLE_NS,
    Stillness,
    after_look,
    look_at,
    look_at_others,
)
from appliance.units import NS_PER_MS

BEFORE = Stillness(since_ns=1_000, used_ns=50 * NS_PER_MS, looked_ns=8_000)


@pytest.mark.parametrize(
    ("more_ns", "after_ns"),
    [
        (0, 1_000),
        (TRIFLE_NS, 1_000),  # somebody else's
        (TRIFLE_NS + 1, 9_000),
        (-1, 1_000),  # two clocks are not read at the same moment
        (-TRIFLE_NS - 1, 9_000),  # another process has its number
    ],
)
def test_only_work_ends_stillness(more_ns: int, after_ns: int) -> None:
    assert after_look(BEFORE, BEFORE.used_ns + more_ns, 9_000).since_ns == after_ns


def test_many_trifles_are_work() -> None:
    stillness = BEFORE
    for look in range(1, 4):
        stillness = after_look(stillness, BEFORE.used_ns + look * TRIFLE_NS // 2, 9_000 + look)
    assert stillness.since_ns == 9_003


def test_it_takes_a_while() -> None:
    assert not BEFORE.is_too_long(1_000 + LIMIT_NS)
    assert BEFORE.is_too_long(1_001 + LIMIT_NS)


def test_whoever_was_away_accuses_nobody() -> None:
    back_ns = BEFORE.looked_ns + AWAY_NS + 1
    assert after_look(BEFORE, BEFORE.used_ns, back_ns).since_ns == back_ns
    assert after_look(BEFORE, BEFORE.used_ns, back_ns - 1).since_ns == BEFORE.since_ns


@contextmanager
def running(program: str) -> Iterator[int]:
    """Another process that says when it has begun; its id."""
    with subprocess.Popen(
        [sys.executable, "-c", f"print('begun', flush=True)\n{program}"], stdout=subprocess.PIPE
    ) as popen:
        assert popen.stdout
        popen.stdout.readline()
        try:
            yield popen.pid
        finally:
            popen.kill()


def looked_at_until_it_is_too_long(pid: int) -> Stillness:
    """Work for 300 ms, and then time that passes on paper only."""
    stillness = look_at(pid, Stillness(), now_ns())
    sleep_s(0.3)
    for _ in range(3):
        stillness = look_at(pid, stillness, stillness.looked_ns + AWAY_NS)
    return stillness


@pytest.mark.parametrize(
    ("program", "is_still"),
    [
        ("import time; time.sleep(60)", True),
        ("import threading; lock = threading.Lock(); lock.acquire(); lock.acquire()", True),
        ("import os; os.read(os.pipe()[0], 1)", True),
        ("while True: pass", False),
        ("import threading, time; threading.Thread(target=time.sleep, args=(60,)).start()\nwhile True: pass", False),
    ],
)
def test_a_process_that_waits_is_told_from_one_that_computes(program: str, is_still: bool) -> None:
    with running(program) as pid:
        stillness = looked_at_until_it_is_too_long(pid)
        assert stillness.is_too_long(stillness.looked_ns) is is_still


def test_whoever_waits_for_its_turn_on_a_busy_machine_does_not_stand_still() -> None:
    with running("while True: pass") as pid:
        first = look_at(pid, Stillness(), LIMIT_NS)
        starved = replace(first, since_ns=0)
        assert starved.is_too_long(LIMIT_NS + 1)
        assert not look_at(pid, starved, LIMIT_NS + 1).is_too_long(LIMIT_NS + 1)  # it has used next to nothing since


def test_a_process_that_has_ended_is_no_news() -> None:
    with running("pass") as pid:
        pass
    assert not look_at(pid, Stillness(), 5).is_too_long(5)


def test_work_of_another_thread_counts_and_that_of_ones_own_does_not() -> None:
    over = threading.Event()
    first = look_at_others(Stillness(), now_ns())
    sum(range(2_000_000))
    assert look_at_others(first, first.since_ns + AWAY_NS).since_ns == first.since_ns
    thread = threading.Thread(target=lambda: [sum(range(100_000)) for _ in iter(over.is_set, True)])
    thread.start()
    sleep_s(0.1)
    assert look_at_others(first, first.since_ns + AWAY_NS).since_ns == first.since_ns + AWAY_NS
    over.set()
    thread.join()
