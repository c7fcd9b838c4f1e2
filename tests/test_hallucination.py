"""What a recognizer makes up is not believed; what people really say is."""

import pytest

from appliance.engines.protocols import Word
from appliance.speech.hallucination import Evidence, believed, without_loops

SPOKEN = Evidence(voiced_ratio=0.9)


def said(text: str, word_ms: int = 300) -> list[Word]:
    step = word_ms * 1_000_000
    return [Word(word, place * step, (place + 1) * step) for place, word in enumerate(text.split())]


def texts(words: list[Word]) -> str:
    return " ".join(word.text for word in words)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("no, no, no, no", "no, no, no, no"),
        ("thank you, thank you, thank you", "thank you, thank you, thank you"),
        ("five five five zero", "five five five zero"),
        ("ha ha ha ha ha ha ha ha", "ha"),
        ("we saw it we saw it we left", "we saw it we left"),
        ("produced the block books, produced the block books, produced the block", "produced the block books,"),
        ("and then I want to go I want to go home", "and then I want to go home"),
        (
            "the invention of movable letters may justly be the invention of movable letters may justly be considered",
            "the invention of movable letters may justly be considered",
        ),
        ("a b c d e f g h i a b c d e", "a b c d e f g h i"),  # read again, and not to its end
        ("a b c d e f g h i a b c d", "a b c d e f g h i a b c d"),
        ("", ""),
    ],
)
def test_a_phrase_that_goes_round_is_kept_once(text, kept):
    assert texts(without_loops(said(text))) == kept


def test_a_phrase_that_was_written_twice_was_said_where_its_words_have_a_length():
    squeezed = [Word(word, 2, 2) for word in ["c", "d", "e", "f", "g", "h"]]
    again = said("a b c d e f")
    assert without_loops([Word("a", 0, 1), Word("b", 1, 2), *squeezed, *again]) == [*again, *squeezed[-2:]]


@pytest.mark.parametrize(
    ("text", "evidence", "kept"),
    [
        ("Thank you.", Evidence(voiced_ratio=0.8), "Thank you."),
        ("Thank you.", Evidence(voiced_ratio=0.3), ""),
        ("Legendas pela comunidade Amara.org", Evidence(voiced_ratio=0.3), ""),
        ("We begin at nine.", Evidence(voiced_ratio=0.05), ""),  # hold music, a breath
        ("We begin at nine.", Evidence(0.5, no_speech=0.9, log_probability=-1.4), ""),
        ("We begin at nine.", Evidence(0.5, no_speech=0.9, log_probability=-0.2), "We begin at nine."),
    ],
)
def test_text_where_nobody_speaks_is_not_believed(text, evidence, kept):
    assert texts(believed(said(text), evidence)) == kept


def test_nobody_says_twenty_words_in_a_second():
    text = " ".join(f"word{number}" for number in range(20))
    assert believed(said(text, word_ms=50), SPOKEN) == []
    assert texts(believed(said(text, word_ms=250), SPOKEN)) == text
