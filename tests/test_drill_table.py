"""What counts as a missed bound, and how a table of faults reads."""

import pytest

from appliance.drill.table import Bounds, Fault, Outcome, lines, misses

FAULT = Fault(3, "mt killed", "kill -9", Bounds(seen_ms=1000, back_s=40, gap_ms=250))


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(seen_ms=1000, back_s=40, gap_ms=250), []),
        (Outcome(), []),
        (Outcome(seen_ms=1001), ["seen after 1001 ms, not 1000"]),
        (Outcome(back_s=41, gap_ms=260), ["back after 41.0 s, not 40", "a gap of 260 ms, not 250"]),
        (Outcome(calls_lost=1), ["calls lost: 1, not 0"]),
        (Outcome(leaked=("1 bridge", "2 port 5060")), ["left behind: 1 bridge, 2 port 5060"]),
        (Outcome(never_back=True), ["it never came back"]),
    ],
)
def test_what_was_missed_is_said(outcome: Outcome, expected: list[str]) -> None:
    assert misses(FAULT, outcome) == expected


def test_what_has_no_bound_cannot_be_missed() -> None:
    assert misses(Fault(1, "a", "b"), Outcome(seen_ms=1e9, back_s=1e9, gap_ms=1e9)) == []


def test_the_table_has_a_row_for_each_fault() -> None:
    heading, good, bad = lines([(FAULT, Outcome(9.7, 0.52, 0.0)), (FAULT, Outcome(calls_lost=2))])
    assert words(heading) == "fault made by seen after back after gap in audio calls lost leaked"
    assert words(good) == "3 mt killed kill -9 10 ms 0.5 s 0 ms 0 0 holds"
    assert words(bad) == "3 mt killed kill -9 - - - 2 0 calls lost: 2, not 0"


def words(line: str) -> str:
    return " ".join(line.split())
