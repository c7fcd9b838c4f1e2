"""What is said to somebody who enrols by telephone, without a telephone."""

import pytest

from appliance.voices.phone_dialogue import (
    MOST_BAD,
    MOST_BAD_HERE,
    MOST_CODES,
    PLAYBACK,
    Ask,
    Dialogue,
    End,
    Heard,
    Invited,
    Keys,
    Listen,
    LookUp,
    Made,
    Make,
    News,
    NotInvited,
    NotMade,
    Step,
    after,
    begin,
)

CODE = "12345678"


def talk(*news: News) -> tuple[Dialogue, Step]:
    """Where all that leads to: 20 s of speech are needed, and there are three sentences."""
    dialogue, step = begin("en", 20, 3)
    for one in news:
        dialogue, step = after(dialogue, one)
    return dialogue, step


IN = (Keys(CODE), Invited("pt-br"))
ENOUGH = (*IN, Heard(12), Heard(8))
CONFIRM = (*ENOUGH, Heard(6))


def test_a_good_caller_is_led_to_the_end() -> None:
    assert talk()[1] == Ask(("welcome", "enter-code"), 8)
    assert talk(Keys(CODE))[1] == LookUp(CODE)
    dialogue, step = talk(*IN)
    assert (dialogue.language, step) == ("pt-br", Listen(("how-it-works", "sentence-1"), "sentence", 20))
    assert talk(*IN, Heard(12))[1] == Listen(("half", "sentence-2"), "sentence", 20)
    assert talk(*ENOUGH)[1] == Listen(("enough", "consent-how", "consent"), "consent", 25)
    assert talk(*CONFIRM)[1] == Ask(("you-said", PLAYBACK, "confirm"), 1)
    assert talk(*CONFIRM, Keys("1"))[1] == Make(("one-moment",))
    assert talk(*CONFIRM, Keys("1"), Made("v-1", narrow=True))[1] == End(("done", "narrow", "goodbye"))
    assert talk(*CONFIRM, Keys("1"), Made("v-1", narrow=False))[1] == End(("done", "goodbye"))


def test_after_the_last_sentence_comes_the_first_again() -> None:
    dialogue, step = talk(*IN, Heard(3), Heard(3), Heard(3))
    assert (dialogue.sentence, dialogue.speech_s) == (0, 9)
    assert step == Listen(("sentence-1",), "sentence", 20)


def test_without_a_code_nobody_comes_further() -> None:
    assert talk(Keys("123"))[1] == Ask(("enter-code",), 8)
    assert talk(Keys(""), Keys(""), Keys(""))[1] == End(("no-code", "goodbye"))
    wrong = (Keys(CODE), NotInvited())
    assert talk(*wrong)[1] == Ask(("wrong-code", "enter-code"), 8)
    assert talk(*wrong * MOST_CODES)[1] == End(("wrong-code", "no-code", "goodbye"))


@pytest.mark.parametrize("flaw", ["nothing", "short", "noisy", "overdriven", "other"])
def test_a_bad_take_is_asked_for_again_in_words(flaw: str) -> None:
    dialogue, step = talk(*IN, Heard(9, flaw))
    assert step == Listen((f"again-{flaw}", "sentence-1"), "sentence", 20)
    assert dialogue.speech_s == 0
    _, step = talk(*ENOUGH, Heard(9, flaw))
    assert step == Listen((f"again-{flaw}", "consent-how", "consent"), "consent", 25)


def test_a_sentence_that_does_not_succeed_is_left_and_a_line_that_does_not_is_given_up() -> None:
    bad = (Heard(0, "noisy"),)
    assert talk(*IN, *bad * MOST_BAD_HERE)[1] == Listen(("again-noisy", "sentence-2"), "sentence", 20)
    assert talk(*IN, *bad * MOST_BAD)[1] == End(("bad-line", "nothing-kept", "goodbye"))
    assert talk(*ENOUGH, *bad * MOST_BAD)[1] == End(("bad-line", "nothing-kept", "goodbye"))


def test_only_the_key_is_a_yes() -> None:
    assert talk(*CONFIRM, Keys("2"))[1] == Listen(("consent-again", "consent-how", "consent"), "consent", 25)
    assert talk(*CONFIRM, Keys("9"))[1] == Ask(("confirm",), 1)
    assert talk(*CONFIRM, Keys(""), Keys(""), Keys(""))[1] == End(("not-agreed", "nothing-kept", "goodbye"))


def test_what_fails_is_said() -> None:
    no = NotMade(["the disk is full"])
    assert talk(*CONFIRM, Keys("1"), no)[1] == End(("not-made", "nothing-kept", "goodbye"))
    assert talk(Keys(CODE), no)[1] == End(("failed", "nothing-kept", "goodbye"))
    assert talk(*IN, no)[1] == End(("failed", "nothing-kept", "goodbye"))


def test_news_that_do_not_belong_here_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="came while sentences"):
        talk(*IN, Keys("1"))
    with pytest.raises(ValueError, match="instead of a code"):
        talk(Heard(3))
