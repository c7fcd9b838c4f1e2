"""When words that wait are given up, and how a queue knows how long they have waited."""

import pytest
from stages import a_translation

from appliance.recovery.overload import EPISODE_NS, gives_up, is_news
from appliance.stages.word_queue import Taken, WordQueue
from appliance.units import NS_PER_MS

MOST_MS = 4_000


@pytest.mark.parametrize(
    ("waited_ms", "is_giving_up", "expected"),
    [
        (0, False, False),
        (MOST_MS, False, False),
        (MOST_MS + 1, False, True),
        (MOST_MS, True, True),  # once begun, it makes room
        (MOST_MS / 2, True, False),
        (-1_000, True, False),  # not even due
    ],
)
def test_what_waits_for_too_long_is_given_up_down_to_half(waited_ms, is_giving_up, expected):
    assert gives_up(waited_ms, is_giving_up, MOST_MS) is expected


@pytest.mark.parametrize(
    ("last_loss_ns", "expected"), [(0, True), (1, True), (10**12 - EPISODE_NS, False), (10**12, False)]
)
def test_an_episode_is_told_once(last_loss_ns, expected):
    assert is_news(10**12, last_loss_ns) is expected


def test_sentences_that_come_all_at_once_are_due_one_after_the_other_as_they_were_said():
    queue, received_ns = WordQueue(), 10**12
    dues = []
    for number in range(1, 4):
        taken = Taken(a_translation("uma frase", number), number, received_ns)
        queue.put(taken, 0)
        dues.append((taken.due_ns - received_ns) // NS_PER_MS)
    assert dues == [0, 600, 1200]  # each was 600 ms of speech


def test_after_a_pause_a_sentence_is_due_when_it_comes():
    queue = WordQueue()
    queue.put(Taken(a_translation("uma frase", 1), 1, 10**12), 0)
    late = Taken(a_translation("outra", 2), 2, 10**12 + 5_000 * NS_PER_MS)
    queue.put(late, 0)
    assert late.due_ns == late.received_ns
