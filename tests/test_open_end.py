"""What of a growing text may be translated already."""

import pytest

from appliance.speech.glossary import Glossary, Term
from appliance.speech.open_end import closed_part

TERMS = Glossary([Term("New York Stock Exchange", "Bolsa de Nova York"), Term("Dragoman", "Dragoman")])


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        ("the invention of movable", "the invention of movable"),
        ("my number is five five", "my number is"),  # and perhaps five again
        ("we meet at three", "we meet at"),  # in the afternoon?
        ("we meet at three o'clock on", "we meet at"),
        ("it costs five hundred dollars and no more", "it costs five hundred dollars and no more"),
        ("from 3, 4", "from"),
        ("12", ""),
        ("", ""),
    ],
)
def test_a_number_is_whole_when_two_words_follow_it(text: str, closed: str) -> None:
    assert closed_part(text, "en", "pt-br") == closed


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        ("he works at the New", "he works at the"),
        ("he works at the new york, stock", "he works at the"),
        ("he works at the New York Stock Exchange", "he works at the New York Stock Exchange"),
        ("he works with Dragoman", "he works with Dragoman"),
        ("my number is five New", "my number is"),  # one behind the other
    ],
)
def test_a_term_is_whole_when_its_last_word_is_there(text: str, closed: str) -> None:
    assert closed_part(text, "en", "pt-br", TERMS) == closed


def test_terms_of_another_direction_hold_nothing_up() -> None:
    terms = Glossary([Term("New York", "Nova York", source_language="en", target_language="es")])
    assert closed_part("he lives in New", "en", "pt-br", terms) == "he lives in New"
