"""A process's row of vital signs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config import MOST_ENGINES
from appliance.supervision.vitals import COUNTERS, FIRST_COUNTER, WORDS, State, Vitals, breaker_word, breakers


@pytest.fixture
def row():
    return memoryview(bytearray(WORDS * 8)).cast("Q")


@pytest.fixture
def vitals(row):
    return Vitals(row)


def test_a_fresh_row_says_stopped(vitals):
    assert vitals.state is State.STOPPED
    assert vitals.pid == vitals.ready_ns == vitals.heartbeat_ns == vitals.busy_until_ns == 0
    assert vitals.counters() == {}


def test_the_watchdog_sees_what_the_process_writes(row, vitals):
    seen_by_the_watchdog = Vitals(row)
    vitals.ready()
    first_ns = seen_by_the_watchdog.heartbeat_ns
    vitals.beat()
    assert 0 < seen_by_the_watchdog.ready_ns == first_ns <= seen_by_the_watchdog.heartbeat_ns


def test_a_restart_forgets_the_signs_and_keeps_the_counters(vitals):
    vitals.ready()
    vitals.busy_until_ns = 5
    vitals.exits = 3
    vitals.add("strangers")
    vitals.begin(now_ns=77)
    assert vitals.signs() == vitals.signs().__class__(spawned_ns=77, ready_ns=0, heartbeat_ns=0, busy_until_ns=0)
    assert vitals.state is State.STARTING
    assert vitals.exits == 3
    assert vitals.counters() == {"strangers": 1}


def test_every_counter_has_a_word_of_its_own(vitals, row):
    for amount, name in enumerate(COUNTERS, start=1):
        vitals.add(name, amount)
    assert [vitals.get(name) for name in COUNTERS] == list(range(1, len(COUNTERS) + 1))
    assert not any(row[:FIRST_COUNTER])


@given(st.floats(min_value=-1e9, max_value=1e15))
def test_a_measurement_of_any_sign_fits_into_its_word(value):
    vitals = Vitals([0] * WORDS)
    vitals.set("lag_ms", value)
    assert vitals.get("lag_ms") == max(0, int(value))


def test_a_counter_nobody_declared_is_refused(vitals):
    with pytest.raises(KeyError):
        vitals.add("typo")


@given(st.lists(st.integers(0, 2), max_size=MOST_ENGINES))
def test_all_breakers_of_a_stage_go_into_one_word(states):
    word = breaker_word(states)
    assert word < 2**64
    assert breakers(word)[: len(states)] == states
