"""Circuit breakers and the choice among a chain of engines, as tables and for all histories."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.recovery.breaker import (
    FIRST_PAUSE_NS,
    LIMIT,
    LONGEST_PAUSE_NS,
    PROBE_NS,
    Breaker,
    Failure,
    State,
    after_answer,
    after_asking,
    after_failure,
    backoff_ms,
    choose,
    may_ask,
    state,
)
from appliance.units import NS_PER_S

NOW_NS = 1_000 * NS_PER_S


def failed(*seconds: float) -> Breaker:
    """After failures so many seconds after NOW_NS."""
    breaker = Breaker()
    for second in seconds:
        breaker = after_failure(breaker, NOW_NS + int(second * NS_PER_S))
    return breaker


@pytest.mark.parametrize(
    ("failures_s", "at_s", "expected"),
    [
        ((), 0, State.CLOSED),
        ((0, 1, 2), 2, State.CLOSED),
        ((0, 1, 2, 3), 3, State.OPEN),
        ((0, 1, 2, 3), 4.9, State.OPEN),
        ((0, 1, 2, 3), 5, State.HALF_OPEN),
        ((0, 31, 62, 93, 124), 124, State.CLOSED),  # seldom
        ((0, 31, 32, 33), 33, State.CLOSED),  # the first is forgiven
        ((0, 31, 32, 33, 34), 34, State.OPEN),
        ((0, 1, 2, 3, 6), 9.9, State.OPEN),  # the probe failed: twice as long
        ((0, 1, 2, 3, 6), 10, State.HALF_OPEN),
        ((0, 1, 2, 3, 3.5, 3.9), 5, State.HALF_OPEN),  # requests that were under way change nothing
    ],
)
def test_a_breaker_opens_with_failures_and_is_half_open_after_its_pause(failures_s, at_s, expected):
    assert state(failed(*failures_s), NOW_NS + int(at_s * NS_PER_S)) is expected


def test_who_refuses_is_not_asked_for_long():
    breaker = after_failure(Breaker(), NOW_NS, Failure.REFUSED)
    assert not may_ask(breaker, NOW_NS + LONGEST_PAUSE_NS - 1)
    assert may_ask(breaker, NOW_NS + LONGEST_PAUSE_NS)


def test_who_is_away_is_not_asked_again_at_once():
    breaker = after_failure(Breaker(), NOW_NS, Failure.AWAY)
    assert breaker.open_until_ns == NOW_NS + FIRST_PAUSE_NS


def test_an_answer_to_the_probe_closes_and_the_next_pause_is_a_short_one_again():
    breaker = failed(0, 1, 2, 3, 6, 11)
    closed = after_answer(after_asking(breaker, NOW_NS + 100 * NS_PER_S))
    assert state(closed, NOW_NS + 100 * NS_PER_S) is State.CLOSED
    for _ in range(LIMIT):
        closed = after_failure(closed, NOW_NS)
    assert closed.open_until_ns == NOW_NS + FIRST_PAUSE_NS


def test_a_probe_is_alone_and_one_that_never_ends_is_given_up():
    half_open = failed(0, 1, 2, 3)
    then_ns = NOW_NS + 5 * NS_PER_S
    probing = after_asking(half_open, then_ns)
    assert may_ask(half_open, then_ns)
    assert not may_ask(probing, then_ns)
    assert may_ask(probing, then_ns + PROBE_NS)


@pytest.mark.parametrize(
    ("down", "without", "chosen"),
    [
        ("", "", "a"),
        ("a", "", "b"),
        ("", "a", "b"),
        ("ab", "", "c"),
        ("a", "b", "c"),
        ("abc", "", None),
        ("ab", "c", None),
    ],
)
def test_the_first_that_can_be_asked_is_chosen(down, without, chosen):
    breakers = {name: failed(0, 0, 0, 0) for name in down}
    assert choose("abc", breakers, NOW_NS, without) == chosen


@pytest.mark.parametrize(("failures", "wait_ms"), [(1, 300), (2, 600), (3, 1200), (4, None), (9, None)])
def test_a_request_is_tried_again_with_growing_pauses_and_after_more_than_three_goes_on_to_the_next(failures, wait_ms):
    assert backoff_ms(failures) == wait_ms


Event = tuple[str, int]
HISTORIES = st.lists(
    st.tuples(
        st.sampled_from(["answer", "silence", *(failure.name for failure in Failure)]), st.integers(0, 40 * NS_PER_S)
    ),
    max_size=60,
)


def lived(history: list[Event]) -> tuple[Breaker, int]:
    """A breaker that is asked whenever it may be, and the time afterwards."""
    breaker, now_ns = Breaker(), NOW_NS
    for outcome, elapsed_ns in history:
        now_ns += elapsed_ns
        if not may_ask(breaker, now_ns):
            continue
        breaker = after_asking(breaker, now_ns)
        if outcome == "answer":
            breaker = after_answer(breaker)
        elif outcome != "silence":
            breaker = after_failure(breaker, now_ns, Failure[outcome])
    return breaker, now_ns


@given(HISTORIES)
def test_an_open_breaker_is_never_asked_before_its_time_and_always_some_time_after_it(history: list[Event]):
    breaker, now_ns = lived(history)
    if state(breaker, now_ns) is State.OPEN:
        assert not may_ask(breaker, breaker.open_until_ns - 1)
        assert choose(["x"], {"x": breaker}, breaker.open_until_ns - 1) is None
        assert breaker.open_until_ns - now_ns <= LONGEST_PAUSE_NS
    assert may_ask(breaker, now_ns + LONGEST_PAUSE_NS + PROBE_NS)


@given(HISTORIES)
def test_of_two_who_want_to_probe_at_once_only_one_may(history: list[Event]):
    breaker, now_ns = lived(history)
    now_ns = max(now_ns, breaker.open_until_ns, breaker.probe_until_ns)
    assert may_ask(breaker, now_ns)
    if state(breaker, now_ns) is State.HALF_OPEN:
        assert not may_ask(after_asking(breaker, now_ns), now_ns)


@given(st.lists(HISTORIES, min_size=1, max_size=4), st.data())
def test_a_chain_with_one_healthy_member_always_answers_and_with_nobody_behind_it(histories, data):
    lives = [lived(history) for history in histories]
    now_ns = max(now_ns for _, now_ns in lives)
    breakers = {str(place): breaker for place, (breaker, _) in enumerate(lives)}
    healthy = data.draw(st.sampled_from(sorted(breakers)))
    breakers[healthy] = Breaker()
    chosen = choose(sorted(breakers), breakers, now_ns)
    assert chosen is not None
    assert chosen <= healthy
    assert may_ask(breakers[chosen], now_ns)


@given(HISTORIES)
def test_what_is_remembered_stays_small(history: list[Event]):
    breaker, now_ns = lived(history)
    assert len(breaker.failures_ns) < LIMIT
    assert all(now_ns - failed_ns >= 0 for failed_ns in breaker.failures_ns)
