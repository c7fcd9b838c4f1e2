"""LocalAgreement-2: what two hypotheses agree on is committed, once, and never taken back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.engines.protocols import Word
from appliance.speech.stable_prefix import (
    AgreementPolicy,
    StableTranslation,
    StableWords,
    common_prefix,
    remarked,
    restated,
    words_to_hold_back,
)

WORD_NS = 300_000_000
ONE_IN_SIGHT = AgreementPolicy(words_in_sight=1)


def said(text: str, start_ns: int = 0) -> list[Word]:
    """The words of `text`, 300 ms each."""
    return [
        Word(word, start_ns + place * WORD_NS, start_ns + (place + 1) * WORD_NS)
        for place, word in enumerate(text.split())
    ]


def texts(words: list[Word]) -> str:
    return " ".join(word.text for word in words)


def hear(stable: StableWords, text: str, start_ns: int = 0) -> str:
    """Push a hypothesis whose window ends a good while after its last word; returns what was committed."""
    words = said(text, start_ns)
    return texts(stable.push(words, words[-1].end_ns + WORD_NS if words else 0))


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [
        ("the cat sat", "The cat, sat.", 3),
        ("the cat sat", "the cat stood", 2),
        ("the cat", "the cat sat", 2),
        ("a cat", "the cat", 0),
        ("", "the", 0),
    ],
)
def test_texts_are_compared_without_case_and_punctuation(first, second, count):
    assert common_prefix(first.split(), second.split()) == count


@pytest.mark.parametrize(
    ("committed", "hypothesis", "count"),
    [
        ("", "a b c", 0),
        ("a b", "a b c", 2),
        ("a b", "A, b. c", 2),
        ("a b", "a x c d", 2),  # a word is now heard differently: it has been said all the same
        ("differs", "erned differs from", 2),  # the window began within a word
        ("very", "very very good", 1),
        ("o número da minha conta é", "meu número de conta é de quatro", 5),
        ("a b c", "a b", 2),
        ("a b c", "", 0),
    ],
)
def test_what_was_committed_is_found_again_in_a_new_hypothesis(committed, hypothesis, count):
    assert restated(committed.split(), hypothesis.split()) == count


def test_nothing_is_committed_before_two_hypotheses_agree():
    stable = StableWords(ONE_IN_SIGHT)
    assert hear(stable, "for although the") == ""
    assert hear(stable, "for although the Chinese took") == "for although the"
    assert hear(stable, "for although the Chinese took impressions") == "Chinese took"


def test_a_word_is_committed_only_with_two_in_sight_so_that_it_and_its_punctuation_are_right():
    stable = StableWords()
    hear(stable, "in the only sense. With which")
    assert hear(stable, "in the only sense. With which") == "in the only sense."
    assert texts(stable.unsettled) == "With which"
    assert hear(stable, "in the only sense with which we") == "with"
    assert hear(stable, "in the only sense with which we") == ""


def test_words_at_the_very_end_of_the_sound_are_held_back():
    stable = StableWords(AgreementPolicy(hold_back_ms=400, words_in_sight=1))
    words = said("we are at present concerned")
    stable.push(words, words[-1].end_ns)
    assert texts(stable.push(words, words[-1].end_ns)) == "we are at"


def test_a_pause_commits_everything():
    stable = StableWords(ONE_IN_SIGHT)
    hear(stable, "has never")
    assert texts(stable.finish(said("has never been surpassed."))) == "has never been surpassed."
    assert stable.finish(said("has never been surpassed.")) == []


def test_a_committed_word_that_is_heard_differently_later_is_neither_changed_nor_repeated():
    stable = StableWords(ONE_IN_SIGHT)
    hear(stable, "wood cutters of the Netherlands")
    hear(stable, "wood cutters of the Netherlands by")
    assert hear(stable, "wood cutters on the Netherlands by a similar") == "by"
    assert texts(stable.committed) == "wood cutters of the Netherlands by"


def test_a_long_window_is_trimmed_to_the_last_committed_words():
    stable = StableWords(AgreementPolicy(trim_beyond_ms=2_000, kept_words=2, words_in_sight=1))
    hear(stable, "one two three four five six seven")
    hear(stable, "one two three four five six seven eight")
    end_ns = 9 * WORD_NS
    assert stable.trim(end_ns) == stable.committed[-2].start_ns
    assert stable.prompt() == "one two three four five"
    assert hear(stable, "six seven eight nine", start_ns=stable.window_start_ns) == "eight"
    assert texts(stable.committed) == "one two three four five six seven eight"


def test_a_window_in_which_nothing_is_committed_gets_stuck_rather_than_longer_for_ever():
    stable = StableWords(ONE_IN_SIGHT)
    assert stable.trim(9_000_000_000) == 0
    assert not stable.is_stuck(9_000_000_000)
    assert stable.is_stuck(9_600_000_000)


def test_the_prompt_carries_the_last_words_into_the_next_utterance():
    stable = StableWords(AgreementPolicy(prompt_words=3))
    stable.finish(said("it is worth mention in passing"))
    stable.begin(5_000_000_000)
    assert stable.committed == []
    assert stable.prompt() == "mention in passing"


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), max_size=12), max_size=8))
def test_whatever_a_recognizer_says_commits_only_append_and_times_only_grow(hypotheses):
    stable = StableWords(ONE_IN_SIGHT)
    heard: list[Word] = []
    for words in hypotheses:
        heard += stable.push(said(" ".join(words)), 13 * WORD_NS)
        assert stable.committed == heard
    times = [time for word in heard for time in (word.start_ns, word.end_ns)]
    assert times == sorted(times)


def test_later_hypotheses_mend_marks_and_capitals_of_committed_words():
    stable = StableWords(ONE_IN_SIGHT)
    stable.push(said("printing in the only"), 5 * WORD_NS)
    stable.push(said("printing in the only sense"), 6 * WORD_NS)
    assert [word.text for word in stable.committed] == ["printing", "in", "the", "only"]
    added = stable.push(said("Printing, in the only sense, differs"), 7 * WORD_NS)
    assert [word.text for word in added] == ["sense,"]
    assert [word.text for word in stable.committed] == ["Printing,", "in", "the", "only", "sense,"]


def test_a_word_that_is_another_one_later_stays_and_so_do_those_before_it():
    words = remarked(said("may justly be considered"), said("May justly, we considered."))
    assert [word.text for word in words] == ["may", "justly", "be", "considered."]


def test_a_translation_is_committed_as_far_as_two_agree():
    stable = StableTranslation()
    assert stable.push("O número da minha", 1) == ""
    assert stable.push("O número da minha conta é", 1) == "O número da minha"
    assert stable.prefix == "O número da minha"
    assert stable.finish("O número da minha conta é quatro.") == "conta é quatro."
    assert stable.mended == 0


def test_the_last_words_of_a_partial_translation_wait_although_two_agree():
    stable = StableTranslation()
    stable.push("a porta azul da", 2)
    assert stable.push("a porta azul da casa", 2) == "a porta azul"
    assert stable.push("a porta azul da casa", 2) == ""
    assert stable.push("a porta azul da casa", 1) == "da"


@pytest.mark.parametrize(("backlog_ms", "words"), [(0, 5), (149, 5), (150, 6), (320, 7), (9_000, 7)])
def test_more_words_wait_while_the_listener_has_something_to_hear(backlog_ms, words):
    assert words_to_hold_back(backlog_ms) == words


def test_an_engine_that_begins_anew_is_joined_where_its_words_go_on():
    stable = StableTranslation()
    stable.push("O número da minha conta é", 1)
    stable.push("O número da minha conta é de", 1)
    assert stable.finish("Meu número de conta é de quatro cinco.") == "de quatro cinco."
    assert stable.prefix == "O número da minha conta é de quatro cinco."
    assert stable.mended == 1


@pytest.mark.parametrize(
    ("before", "whole", "told"),
    [
        ("Eu", "Sinto muito, mas não.", "Eu Sinto muito, mas não."),
        ("As crianças estavam brincando", "As crianças brincavam na rua.", "As crianças estavam brincando na rua."),
        ("Sua planta", "Sua fábrica amanhã.", "Sua planta amanhã."),
        ("Depois do", "Após o longo inverno.", "Depois do longo inverno."),
    ],
)
def test_where_a_new_beginning_differs_no_word_is_lost_that_the_told_ones_do_not_say(before, whole, told):
    stable = StableTranslation()
    for _ in range(2):
        stable.push(before, 0)
    assert f"{before} {stable.finish(whole)}" == told


@given(st.lists(st.text(alphabet="ab ", max_size=12), min_size=1, max_size=6))
def test_a_committed_translation_only_ever_grows(translations):
    stable = StableTranslation()
    told: list[str] = []
    for translation in translations[:-1]:
        told += stable.push(translation).split()
        assert stable.committed == told
    told += stable.finish(translations[-1]).split()
    assert stable.committed == told
