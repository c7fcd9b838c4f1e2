"""Segments end at clauses, pauses, a length and a waiting time, and only grow until then."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.engines.protocols import Word
from appliance.speech.segmenter import Segmenter, SegmentPolicy, TextSegment
from appliance.units import FRAME_NS, NS_PER_MS

WORD_MS = 300
CLAUSE_BY_CLAUSE = SegmentPolicy(phrase_words=4, opener_words=7, most_words=14, pause_ms=350)


def said(text: str) -> list[Word]:
    """300 ms a word; "_" is 300 ms of silence."""
    words = []
    for place, word in enumerate(text.split()):
        if word != "_":
            words.append(Word(word, place * WORD_MS * NS_PER_MS, (place + 1) * WORD_MS * NS_PER_MS))
    return words


def finals(segments: list[TextSegment]) -> list[str]:
    return [segment.text for segment in segments if not segment.partial]


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("It never was. It is", ["It never was."]),
        ("Mr. Brown saw Dr. Lima yesterday.", ["Mr. Brown saw Dr. Lima yesterday."]),
        ("Yes, we do, but only on Mondays, as", ["Yes, we do, but only on Mondays,"]),
        ("in the only sense with which we are at", []),
        ("we walked along the river for hours and then it rained", ["we walked along the river for hours"]),
        ("I will come _ _ on Friday", ["I will come"]),
        ("my number is nine eight seven _ _ four three two one", []),
        ("my number is nine eight seven _ _ _ _ _ four", ["my number is nine eight seven"]),
        ("my number is 98765, 4321 and", []),
        ("one" + " more" * 14, ["one" + " more" * 13]),
    ],
)
def test_where_a_segment_ends(text, complete):
    assert finals(Segmenter(0, "en", CLAUSE_BY_CLAUSE).push(said(text))) == complete


def test_portuguese_has_its_own_clauses():
    segmenter = Segmenter(0, "pt-br", CLAUSE_BY_CLAUSE)
    segments = segmenter.push(said("eu gostaria de cancelar a minha assinatura porque vou viajar"))
    assert finals(segments) == ["eu gostaria de cancelar a minha assinatura"]


def test_a_growing_segment_is_told_with_rising_revisions():
    segmenter = Segmenter(7, "en")
    first, second = said("we meet"), said("_ _ on Friday.")
    (partial,) = segmenter.push(first)
    (final,) = segmenter.push(second)
    assert (partial.stream_id, partial.revision, partial.partial, partial.text) == (7, 0, True, "we meet")
    assert (final.seq_num, final.revision, final.partial) == (partial.seq_num, 1, False)
    assert final.text == "we meet on Friday."
    assert (final.start_ns, final.end_ns) == (first[0].start_ns, second[-1].end_ns)


def test_a_growing_segment_is_told_again_only_when_it_has_grown_enough():
    segmenter = Segmenter(0, "en", SegmentPolicy(partial_words=2))
    words = said("we meet on Friday")
    assert segmenter.push(words[:1]) == []
    assert [segment.text for segment in segmenter.push(words[1:2])] == ["we meet"]
    assert segmenter.push([]) == []
    assert segmenter.push(words[2:3]) == []
    assert [segment.text for segment in segmenter.push(words[3:])] == ["we meet on Friday"]


def test_a_sentence_stays_in_one_piece_by_default():
    text = "the first of us, as far as I know, walked along the river for hours and then came home."
    assert finals(Segmenter(0, "en").push(said(text))) == [text]


def test_a_segment_does_not_wait_for_ever():
    segmenter = Segmenter(0, "en", SegmentPolicy(longest_wait_ms=2_000))
    segmenter.push(said("we meet"))
    assert segmenter.wait(1_999 * NS_PER_MS) == []
    (final,) = segmenter.wait(2_000 * NS_PER_MS)
    assert (final.text, final.partial) == ("we meet", False)
    assert segmenter.waiting_since_ns is None
    assert segmenter.wait(9_000 * NS_PER_MS) == []


def test_a_pause_of_the_speaker_ends_the_segment():
    segmenter = Segmenter(0, "en")
    segmenter.push(said("we meet"))
    assert finals(segmenter.finish()) == ["we meet"]
    assert segmenter.finish() == []


def test_sequence_numbers_follow_the_clock_so_that_a_restart_repeats_none():
    first = Segmenter(0, "en").push(said("Yes. No."))
    later = [Word("Maybe.", 10**12, 10**12 + 1)]
    assert [segment.seq_num for segment in first] == [1, WORD_MS * NS_PER_MS // FRAME_NS]
    assert Segmenter(0, "en").push(later)[0].seq_num == 10**12 // FRAME_NS


@given(st.lists(st.lists(st.sampled_from(["go", "and,", "well.", "four", "12", "_", "_"]), max_size=6), max_size=12))
def test_no_word_is_lost_and_no_segment_ever_loses_one(pushes):
    segmenter = Segmenter(0, "en")
    words = said(" ".join(word for push in pushes for word in push))
    segments: list[TextSegment] = []
    given_out = 0
    for push in pushes:
        count = sum(word != "_" for word in push)
        segments += segmenter.push(words[given_out : given_out + count])
        given_out += count
    segments += segmenter.finish()
    assert " ".join(finals(segments)) == " ".join(word.text for word in words)
    numbers = [segment.seq_num for segment in segments if not segment.partial]
    assert numbers == sorted(set(numbers))
    for before, after in itertools.pairwise(segments):
        if before.seq_num == after.seq_num:
            assert after.text.startswith(before.text)
            assert after.revision == before.revision + 1


def test_a_growing_segment_takes_newer_marks_and_a_complete_one_does_not():
    segmenter = Segmenter(0, "en")
    segmenter.push(said("It was late. printing in the"))
    segmenter.remark(said("It was late; Printing, in the"))
    segmenter.push(said("only"))
    assert finals(segmenter.finish()) == ["Printing, in the only"]


def test_a_growing_segment_is_told_again_when_other_words_seem_to_follow_and_to_the_end_of_its_sentence():
    segmenter = Segmenter(0, "en")
    words = said("the house is red. It was late")

    def told(until: int, ahead: int) -> list[tuple[str, str]]:
        return [(each.text, each.ahead) for each in segmenter.push(words[until - 1 : until], words[until:ahead])]

    assert told(1, 2) == [("the", "house")]
    assert segmenter.push([], words[1:2]) == []
    assert [each.ahead for each in segmenter.push([], words[1:3])] == ["house is"]
    assert told(2, 6) == [("the house", "is red.")]
    assert told(3, 3) == [("the house is", "")]
    assert told(4, 6) == [("the house is red.", "")]
    assert segmenter.push([], words[4:6]) == []  # nothing of that sentence is settled


def test_what_seems_to_follow_is_no_news_where_nothing_is_told_early():
    segmenter = Segmenter(0, "en", SegmentPolicy(partial_words=9, looks_ahead=False))
    assert segmenter.push(said("we meet"), said("on Friday")) == []
    assert [(each.text, each.ahead) for each in segmenter.finish()] == [("we meet", "")]
