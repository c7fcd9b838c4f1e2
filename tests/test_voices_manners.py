"""Windows of speech, and which of them belong together."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.voices.manners import LEAST_SPEECH_S, LONGEST_S, MOST_MANNERS, SHORTEST_S, manners, windows

RATE_HZ = 16_000


def speech(*phrases_s, pause_s=0.5):
    """Noise for speech, with pauses."""
    dice = np.random.default_rng(1)
    pause = np.zeros(round(pause_s * RATE_HZ))
    parts = [pause]
    for phrase_s in phrases_s:
        parts += [0.1 * dice.normal(size=round(phrase_s * RATE_HZ)), pause]
    return np.concatenate(parts).astype(np.float32)


def test_windows_are_cut_at_pauses():
    found = windows(speech(2, 2, 2, 3, 4), RATE_HZ)
    assert [tuple(round(edge / RATE_HZ, 1) for edge in one) for one in found] == [(0.5, 7.5), (8.0, 15.5)]


def test_a_long_phrase_is_cut_into_equal_parts():
    lengths = [end - first for first, end in windows(speech(20), RATE_HZ)]
    assert len(lengths) == 3
    assert max(lengths) - min(lengths) <= 0.05 * RATE_HZ


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0.3, 20), max_size=8), st.floats(0.3, 3))
def test_windows_have_a_length_that_is_of_use_and_do_not_overlap(phrases_s, pause_s):
    found = windows(speech(*phrases_s, pause_s=pause_s), RATE_HZ)
    for first, end in found:
        assert SHORTEST_S * RATE_HZ <= end - first <= LONGEST_S * RATE_HZ
    assert all(one[1] <= other[0] for one, other in pairwise(found))


def test_silence_has_no_windows():
    assert windows(np.zeros(10 * RATE_HZ, np.float32), RATE_HZ) == []
    assert windows(np.zeros(0, np.float32), RATE_HZ) == []


def styles(*centres, each=6):
    dice = np.random.default_rng(2)
    return np.vstack([centre + dice.normal(size=(each, 64)) * 0.5 for centre in centres])


def test_an_excited_and_a_calm_manner_are_told_apart():
    assert manners(styles(-1, 1), [5.0] * 12) == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    assert len(manners(styles(-2, 0, 2), [5.0] * 18)) == 3


def test_the_manner_with_most_speech_comes_first():
    assert manners(styles(-1, 1), [3.0] * 6 + [6.0] * 6)[0] == [6, 7, 8, 9, 10, 11]


def test_one_manner_stays_one():
    assert manners(styles(0, each=20), [5.0] * 20) == [list(range(20))]
    assert manners(np.zeros((4, 64)), [20.0] * 4) == [[0, 1, 2, 3]]


def test_too_little_of_a_manner_is_none():
    assert len(manners(styles(-1, 1, each=2), [5.0] * 4)) == 1


def test_no_window_cannot_be_grouped():
    with pytest.raises(ValueError, match="there is no window to group"):
        manners(np.zeros((0, 64)), [])


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_every_window_is_in_one_group_and_every_group_is_of_use(count, seed):
    dice = np.random.default_rng(seed)
    seconds = dice.uniform(3, 8, count)
    groups = manners(dice.normal(size=(count, 64)) * dice.choice([0.1, 1, 3]), seconds)
    assert sorted(window for group in groups for window in group) == list(range(count))
    assert len(groups) <= MOST_MANNERS
    assert len(groups) == 1 or all(seconds[group].sum() >= LEAST_SPEECH_S for group in groups)
