"""Where sentences are cut for synthesis."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.speech.clauses import (
    BREATH_MS,
    COMMA_PAUSE_MS,
    SENTENCE_PAUSE_MS,
    clause_words,
    ends_phrase,
    leans_on_next,
    pause_after_ms,
)


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("Sim.", "Sim."),
        ("Olá! Tudo bem?", "Olá! Tudo bem?"),  # short enough for one go
        ("Oi, bom dia, como você está hoje?", "Oi, bom dia,"),  # at a comma …
        ("Vou verificar com o meu gerente hoje.", "Vou verificar"),  # … or before a sense group
        ("Gostaria de reservar uma mesa grande.", "Gostaria de reservar"),  # … or between words
        ("Quero agora comprar a televisão nova.", "Quero agora comprar"),  # an article stays with its noun
        ("Otorrinolaringologistas chegaram.", "Otorrinolaringologistas"),  # a long word stays whole
    ],
)
def test_a_portuguese_sentence_is_cut_where_a_speaker_would_breathe(text: str, clause: str) -> None:
    words = text.split()
    assert " ".join(words[: clause_words(words, "pt-br", 22)]) == clause


def test_a_language_without_known_openers_is_cut_between_words() -> None:
    assert clause_words(["Guten", "Morgen", "wie", "geht", "es", "Ihnen"], "de", 22) == 4


@pytest.mark.parametrize(
    ("word", "pause_ms"),
    [
        ("dia,", COMMA_PAUSE_MS),
        ("senhora.", SENTENCE_PAUSE_MS),
        ("família?”", SENTENCE_PAUSE_MS),
        ("reservar", BREATH_MS),
    ],
)
def test_the_pause_after_a_clause_is_that_of_its_punctuation(word: str, pause_ms: int) -> None:
    assert pause_after_ms(word) == pause_ms
    assert ends_phrase(word) == (pause_ms > BREATH_MS)


def test_articles_and_prepositions_lean_on_the_next_word() -> None:
    assert all(leans_on_next(word, "pt-br") for word in ("a", "de", "Para", "com"))
    assert not any(leans_on_next(word, "pt-br") for word in ("casa", "azul", "sim."))


@given(
    words=st.lists(st.text(alphabet="aé,.;!?…\"')eou", min_size=1, max_size=12), min_size=1, max_size=60),
    language=st.sampled_from(["en", "pt-br", "xx"]),
    limit=st.integers(1, 200),
)
def test_a_clause_has_words_and_is_not_too_long(words: list[str], language: str, limit: int) -> None:
    count = clause_words(words, language, limit)
    assert 1 <= count <= len(words)
    assert count == 1 or len(" ".join(words[:count])) <= limit
