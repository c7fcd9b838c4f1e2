"""When the other end of a connection is asked whether it is there, and when it is not believed in any more."""

import pytest

from appliance.engines.pulse import Pulse

LIMIT_S = 0.5
LOOKS_S = [each / 100 for each in range(0, 400, 4)]  # as often as audio is sent


def dies_at(words_s: list[float], answers_after_s: float | None, looks_s: list[float]) -> float | None:
    """When a connection is given up that brings words at those times, and the answer to each ping so much later."""
    pulse = Pulse(LIMIT_S, 0.0, 0.0)
    due_s: list[float] = []
    for now_s in looks_s:
        for heard_s in [each for each in (*words_s, *due_s) if each <= now_s]:
            pulse.hear(heard_s)
            due_s = [each for each in due_s if each != heard_s]
        words_s = [each for each in words_s if each > now_s]
        if pulse.is_to_be_asked(now_s) and answers_after_s is not None:
            due_s.append(now_s + answers_after_s)
        if pulse.has_stopped(now_s):
            return now_s
    return None


@pytest.mark.parametrize(
    ("words_s", "answers_after_s", "dead_s"),
    [
        ([], 0.1, None),  # silent, and there
        ([], 0.45, None),  # far away
        ([0.1 * each for each in range(40)], None, None),  # it talks all the time: nobody asks
        ([], None, 0.72),  # silent, and nobody there
        ([1.0], None, 0.72),  # a word that comes too late
        ([0.5], None, 1.24),  # the word answers the ping that was under way
    ],
)
def test_who_answers_is_there(words_s, answers_after_s, dead_s):
    assert dies_at(words_s, answers_after_s, LOOKS_S) == (None if dead_s is None else pytest.approx(dead_s, abs=0.05))


def test_who_was_away_himself_looks_once_more():
    before = [each for each in LOOKS_S if each <= 0.4]
    after = [each for each in LOOKS_S if each >= 2.0]
    assert dies_at([2.03], None, [*before, *after]) == pytest.approx(2.03 + 0.72, abs=0.05)
