"""How much of what waits is spoken, and when a lane rather waits for more words."""

import pytest

from appliance.engines.protocols import ClauseSizes
from appliance.speech.catch_up import SynthesisCost
from appliance.speech.phrasing import Voice, Waiting, words_to_speak

# 15 characters a second: with 2 s to cover it, a clause may be 77 characters long.
SLOW = Voice("pt-br", ClauseSizes(20, 80), SynthesisCost(200, 350, 15))


def spoken(text: str, closed: bool = False, backlog_ms: float = 0, waited_ms: float = 0, merge: bool = False) -> str:
    waiting = Waiting(text.split(), closed, waited_ms, backlog_ms, merge)
    return " ".join(text.split()[: words_to_speak(waiting, SLOW)])


@pytest.mark.parametrize(
    ("text", "backlog_ms", "clause"),
    [
        ("Sim.", 0, "Sim."),
        ("Vou verificar com o meu gerente hoje.", 0, "Vou verificar"),  # the first has to be there soon
        ("Vou verificar com o meu gerente hoje.", 2_000, "Vou verificar com o meu gerente hoje."),
        ("Como vai a família toda?", 0, "Como vai a família toda?"),  # no last word is left alone
    ],
)
def test_a_clause_of_a_finished_segment_is_as_long_as_the_backlog_covers(text, backlog_ms, clause):
    assert spoken(text, closed=True, backlog_ms=backlog_ms) == clause


@pytest.mark.parametrize(
    ("text", "backlog_ms", "clause"),
    [
        ("a invenção da arte", 0, "a invenção da arte"),  # silence is worse than a small clause
        ("a invenção da arte", 1_400, ""),  # there is time to wait for its end
        ("a invenção, portanto,", 1_400, "a invenção, portanto,"),  # that is an end
        ("a grande invenção da", 0, "a grande invenção"),  # what belongs to the next word waits for it
    ],
)
def test_a_growing_segment_waits_for_more_words_only_while_something_is_heard(text, backlog_ms, clause):
    assert spoken(text, backlog_ms=backlog_ms) == clause


@pytest.mark.parametrize(
    ("text", "waited_ms", "spoken_then"),
    [("portanto", 400, "portanto"), ("a da", 1_200, "a"), ("é agora", 400, "é agora")],
)
def test_a_fragment_waits_for_company_but_not_long(text, waited_ms, spoken_then):
    assert spoken(text, waited_ms=waited_ms - 1) == ""
    assert spoken(text, waited_ms=waited_ms) == spoken_then
    assert spoken(text, closed=True) == text


def test_a_small_phrase_that_has_ended_waits_for_nobody():
    assert spoken("cinza, e") == "cinza,"


def test_a_lane_far_behind_joins_small_phrases():
    text = "Bom dia, senhora, eu queria uma mesa para hoje à noite."
    assert spoken(text, closed=True) == "Bom dia, senhora,"
    assert spoken(text, closed=True, merge=True) == "Bom dia, senhora, eu queria uma mesa"
