"""Whose voice a leg speaks with: the tables of all policies, and what holds whatever the numbers are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.voices.choice import (
    LOOKS_TO_TURN,
    Choice,
    Likely,
    Match,
    choose,
    identified,
    may_learn,
    nearest_manner,
    next_match,
    numbers_on_file,
)

LIKENESSES = st.dictionaries(st.sampled_from(["v-1", "v-2", "v-3", "v-4"]), st.floats(-1, 1))


@pytest.mark.parametrize(
    ("configured", "by_number", "by_voice", "choice"),
    [
        ("v-1", "v-2", "v-3", Choice("v-1", "route")),
        ("stock", "v-2", "v-3", Choice("", "route")),
        ("", "v-2", "v-3", Choice("v-2", "number")),
        ("", None, "v-3", Choice("v-3", "voice")),
        ("", None, None, Choice()),
    ],
)
def test_the_route_decides_then_the_number_then_the_voice(configured, by_number, by_voice, choice):
    assert choose(configured, by_number, by_voice) == choice


@pytest.mark.parametrize(
    ("number", "country", "on_file"),
    [
        ("+55 11 99999-0000", "55", ["5511999990000"]),
        ("005511999990000", "55", ["5511999990000"]),
        ("011999990000", "55", ["011999990000", "5511999990000"]),
        ("11999990000", "55", ["11999990000", "5511999990000"]),
        ("4711", "55", ["4711", "554711"]),
        ("4711", "", ["4711"]),
        ("alice", "55", []),
        ("", "55", []),
        ("anonymous", "", []),
    ],
)
def test_a_number_without_its_countrys_code_is_found_too(number, country, on_file):
    assert numbers_on_file(number, country) == on_file


@pytest.mark.parametrize(
    ("likenesses", "who"),
    [
        ({}, None),
        ({"v-1": 0.79}, None),
        ({"v-1": 0.80}, "v-1"),
        ({"v-1": 0.90, "v-2": 0.84}, "v-1"),
        ({"v-1": 0.90, "v-2": 0.86}, None),  # they are alike, and either could be it
        ({"v-1": 0.70, "v-2": 0.86}, "v-2"),
    ],
)
def test_who_is_identified(likenesses, who):
    assert identified(likenesses, Likely(0.80, 0.05)) == who


@given(LIKENESSES, st.floats(0, 1), st.floats(0.001, 0.5))
def test_who_is_identified_is_alike_enough_and_more_so_than_anybody_else(likenesses, least, margin):
    who = identified(likenesses, Likely(least, margin))
    others = [value for name, value in likenesses.items() if name != who]
    if who is None:
        best = max(likenesses.values(), default=-1.0)
        assert best < least or sum(value > best - margin for value in likenesses.values()) > 1
    else:
        assert likenesses[who] >= least
        assert all(likenesses[who] - value >= margin for value in others)


@given(st.lists(st.floats(-1, 1), max_size=60), st.floats(0.3, 0.7))
def test_a_match_turns_only_after_some_looks_in_a_row(likenesses, other_below):
    match, history = Match(), []
    for likeness in likenesses:
        before, match = match, next_match(match, likeness, other_below)
        history.append(likeness)
        if before.holds is not match.holds:
            assert len(history) >= LOOKS_TO_TURN
            last = history[-LOOKS_TO_TURN:]
            assert all(each < other_below for each in last) if before.holds else all(e >= other_below for e in last)
            history = []


def test_who_hovers_around_the_threshold_turns_once_only():
    match, turns = Match(), 0
    for likeness in (0.58, 0.58, 0.62, 0.63, 0.59, 0.64, 0.67, 0.61):
        before, match = match, next_match(match, likeness, other_below=0.60)
        turns += before.holds is not match.holds
    assert turns == 1
    for _ in range(LOOKS_TO_TURN):
        match = next_match(match, 0.9, other_below=0.60)
    assert match == Match()


@pytest.mark.parametrize(
    ("choice", "consent", "searched", "learns"),
    [
        (Choice(), True, True, True),
        (Choice(), False, True, False),
        (Choice(), True, False, False),  # who is on file needs no other voice
        (Choice("v-1", "number"), True, True, False),
        (Choice("", "route"), True, True, False),  # the route says "stock"
    ],
)
def test_a_voice_is_learned_with_consent_of_somebody_who_is_not_on_file(choice, consent, searched, learns):
    assert may_learn(choice, consent, searched) is learns


def test_a_manner_changes_only_for_one_that_is_clearly_nearer():
    calm, excited = np.zeros(64, np.float32), np.full(64, 1.0, np.float32)
    assert nearest_manner([], calm, 3) == 0
    assert nearest_manner([calm, excited], excited, 0) == 1
    assert nearest_manner([calm, excited], np.full(64, 0.51, np.float32), 0) == 0
    assert nearest_manner([calm, excited], np.full(64, 0.51, np.float32), 1) == 1
    assert nearest_manner([calm], calm, 2) == 0  # the voice was enrolled anew, with fewer
