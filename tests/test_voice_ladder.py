"""The upper rungs of the ladder: every step that a lane's voice can take, and how often it is told."""

from appliance.recovery.voice_ladder import Step, VoiceRung, next_voice_rung


def steps(*clauses: tuple[bool, str]) -> list[Step]:
    rung, taken = VoiceRung(), []
    for is_own, why in clauses:
        rung, step = next_voice_rung(rung, is_own, why)
        taken.append(step)
    return taken


OWN = (True, "")


def test_a_stock_voice_that_nobody_wanted_otherwise_is_not_worth_a_word():
    assert steps((False, ""), (False, "")) == [Step.STAYS, Step.STAYS]


def test_the_first_own_clause_is_told_and_is_no_return():
    assert steps((False, ""), OWN, OWN) == [Step.STAYS, Step.FIRST, Step.STAYS]
    assert steps((False, "damaged"), OWN) == [Step.FIRST, Step.FIRST]


def test_down_and_up_are_steps_and_what_stays_is_told_once():
    taken = steps(OWN, (False, "withdrawn"), (False, "withdrawn"), OWN, OWN)
    assert taken == [Step.FIRST, Step.DOWN, Step.STAYS, Step.UP, Step.STAYS]


def test_another_reason_is_news():
    assert steps(OWN, (False, "the engine fails"), (False, "withdrawn")) == [Step.FIRST, Step.DOWN, Step.FIRST]
