"""The language of a leg is decided in its first seconds, and changed only for good reasons."""

import pytest

from appliance.speech.language_choice import LanguageChoice

ENGLISH, PORTUGUESE = {"en": 0.9, "pt": 0.1}, {"en": 0.1, "pt": 0.9}
UNCLEAR = {"en": 0.45, "pt": 0.55, "gl": 0.0}
WINDOW_MS = 600


def choice() -> LanguageChoice:
    return LanguageChoice(("en", "pt-br"), expected="pt-br")


def push(chosen: LanguageChoice, windows: list[dict[str, float]]) -> list[str | None]:
    return [chosen.push(window, WINDOW_MS) for window in windows]


def test_clear_speech_is_known_after_a_second():
    assert push(choice(), [ENGLISH] * 3) == [None, "en", "en"]


def test_what_stays_unclear_becomes_what_was_expected():
    assert push(choice(), [UNCLEAR] * 6) == [None, None, None, None, "pt-br", "pt-br"]


def test_what_is_merely_likely_is_taken_when_the_time_is_up():
    likely = {"en": 0.8, "pt": 0.2}
    assert push(choice(), [likely] * 5) == [None, None, None, None, "en"]


def test_a_borrowed_word_changes_nothing():
    chosen = choice()
    assert set(push(chosen, [ENGLISH] * 10)[2:]) == {"en"}
    assert set(push(chosen, [PORTUGUESE] * 2 + [ENGLISH] * 4 + [PORTUGUESE] * 2)) == {"en"}


def test_a_speaker_who_really_changes_is_followed():
    chosen = choice()
    push(chosen, [ENGLISH] * 10)
    told = push(chosen, [PORTUGUESE] * 60)
    assert told[0] == "en"
    assert told[-1] == "pt-br"
    assert told.index("pt-br") * WINDOW_MS < 30_000
    assert "en" not in told[told.index("pt-br") :]


def test_other_languages_do_not_count():
    assert push(choice(), [{"gl": 0.8, "pt": 0.18, "en": 0.02}] * 2)[-1] == "pt-br"


def test_a_language_that_is_no_candidate_is_noticed_after_a_while_and_forgotten_again():
    chosen = choice()
    push(chosen, [{"hu": 0.9, "pt": 0.06, "en": 0.04}] * 4)
    assert chosen.foreign == ""
    push(chosen, [{"hu": 0.9, "pt": 0.06, "en": 0.04}] * 2)
    assert chosen.foreign == "hu"
    push(chosen, [ENGLISH] * 20)
    assert (chosen.foreign, chosen.language) == ("", "en")


def test_an_unclear_sound_is_no_foreign_language():
    chosen = choice()
    push(chosen, [{"gl": 0.3, "es": 0.3, "pt": 0.38}] * 10)
    assert chosen.foreign == ""


def test_a_window_that_says_nothing_of_the_candidates_decides_nothing():
    chosen = choice()
    japanese_it_seems = {"ja": 0.9, "en": 0.01, "pt": 0.001}
    assert push(chosen, [japanese_it_seems] * 2 + [PORTUGUESE])[-1] == "pt-br"


def test_shares_are_equal_before_anything_is_heard():
    assert choice().shares == {"en": 0.5, "pt-br": 0.5}


def test_the_expected_language_has_to_be_possible():
    with pytest.raises(ValueError, match='"fr" is not among en, pt-br'):
        LanguageChoice(("en", "pt-br"), expected="fr")
