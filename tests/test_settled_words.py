"""Words are given out once each, when the engine commits them or two revisions agree on them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.engines.protocols import StreamContext, Transcript, Word
from appliance.speech.settled_words import SettledWords
from appliance.units import NS_PER_S

CONTEXT = StreamContext("r1", "leg0")


def revision(committed: str, tentative: str = "", final: bool = False, seq_num: int = 1) -> Transcript:
    """Of words that last a second each."""
    texts = (committed.split(), tentative.split())
    words = [Word(text, place * NS_PER_S, (place + 1) * NS_PER_S) for place, text in enumerate(texts[0] + texts[1])]
    count = len(texts[0])
    return Transcript(CONTEXT, seq_num, 0, final, "en", tuple(words[:count]), tuple(words[count:]))


def given_out(*transcripts: Transcript) -> list[str]:
    """What each of them settles."""
    settled = SettledWords()
    return [" ".join(word.text for word in settled.push(transcript)) for transcript in transcripts]


@pytest.mark.parametrize(
    ("story", "transcripts", "expected"),
    [
        (
            "an engine that commits as it goes",
            [revision("one two"), revision("one two three"), revision("one two three", final=True)],
            ["one two", "three", ""],
        ),
        (
            "one that commits at the end: what two revisions agree on, but not the last two words",
            [revision("", "one to"), revision("", "one two three"), revision("one two three", final=True)],
            ["", "one", "two three"],
        ),
        (
            "a word that changes is not settled",
            [revision("", "on my"), revision("", "one mile"), revision("", "one mile away from")],
            ["", "", "one mile"],
        ),
        (
            "the engine thinks better of a word that was given out: it stays, and no other is lost or heard twice",
            [revision("", "one too"), revision("", "one too many men now"), revision("won two many men", final=True)],
            ["", "one too", "many men"],
        ),
        (
            "another utterance",
            [revision("one", final=True), revision("one", final=True, seq_num=2)],
            ["one", "one"],
        ),
        ("nothing", [revision(""), revision("", final=True)], ["", ""]),
    ],
)
def test_what_is_settled_when(story: str, transcripts: list[Transcript], expected: list[str]) -> None:
    assert given_out(*transcripts) == expected, story


@given(st.lists(st.sampled_from("abcd"), max_size=12), st.data())
def test_however_an_engine_comes_to_them_all_its_words_are_given_once(words: list[str], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(words)), max_size=6)))
    steps = [revision(" ".join(words[:cut]), " ".join(words[cut : cut + data.draw(st.integers(0, 4))])) for cut in cuts]
    settled = given_out(*steps, revision(" ".join(words), final=True))
    assert " ".join(filter(None, settled)).split() == words


def test_words_that_were_given_out_take_the_marks_of_the_newest_revision() -> None:
    settled = SettledWords()
    settled.push(revision("printing in"))
    settled.push(revision("Printing, in the"))
    assert [word.text for word in settled.given] == ["Printing,", "in", "the"]
