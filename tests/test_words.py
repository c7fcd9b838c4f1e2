"""Word error rate and shared words."""

import pytest

from appliance.speech.words import shared_words, word_error_rate, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Two-party calls, don't they?", ["two", "party", "calls", "don't", "they"]),
        ("Não, às 8h30!", ["não", "às", "8h30"]),
        ("…", []),
    ],
)
def test_words_are_compared_without_case_and_punctuation(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("reference", "heard", "rate"),
    [
        ("one two three four", "One, two, three, four.", 0.0),
        ("one two three four", "one two tree four", 0.25),
        ("one two three four", "one three four", 0.25),
        ("one two three four", "one two and three four", 0.25),
        ("one two", "", 1.0),
        ("one", "two three four", 3.0),
        ("", "", 0.0),
        ("", "two", 1.0),
    ],
)
def test_word_error_rate_counts_every_wrong_missing_and_added_word(reference: str, heard: str, rate: float) -> None:
    assert word_error_rate(reference, heard) == rate


@pytest.mark.parametrize(
    ("text", "heard", "part"),
    [
        ("a b c d", "d c b a", 1.0),
        ("a a b b", "a b", 0.5),
        ("a b", "c", 0.0),
        ("", "c", 1.0),
    ],
)
def test_shared_words_counts_each_word_as_often_as_it_occurs(text: str, heard: str, part: float) -> None:
    assert shared_words(text, heard) == part
