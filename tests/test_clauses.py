"""Where sentences are cut for synthesis."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.engines.protocols import ClauseSizes
from appliance.speech.clauses import COMMA_PAUSE_MS, SENTENCE_PAUSE_MS, Clause, split_clauses

SLOW = ClauseSizes(first_chars=22, growth=1.7, longest_chars=80)


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("", []),
        ("Sim.", ["Sim."]),
        ("Olá! Tudo bem?", ["Olá! Tudo bem?"]),  # short enough for one go
        ("Oi, bom dia, como você está hoje?", ["Oi, bom dia,", "como você está hoje?"]),  # at a comma …
        ("Vou verificar com o meu gerente hoje.", ["Vou verificar", "com o meu gerente hoje."]),  # … or a sense group
        ("Gostaria de reservar uma mesa grande.", ["Gostaria de reservar", "uma mesa grande."]),  # … or between words
        ("Quero agora comprar a televisão nova.", ["Quero agora comprar", "a televisão nova."]),  # article and noun
        ("Otorrinolaringologistas chegaram.", ["Otorrinolaringologistas", "chegaram."]),  # a long word stays whole
    ],
)
def test_a_portuguese_sentence_is_cut_where_a_speaker_would_breathe(text: str, clauses: list[str]) -> None:
    assert [clause.text for clause in split_clauses(text, "pt-br", SLOW)] == clauses


def test_the_pause_after_a_clause_is_that_of_its_punctuation() -> None:
    assert split_clauses("Olá, muito bom dia, minha senhora. Eu queria reservar uma mesa.", "pt-br", SLOW) == [
        Clause("Olá, muito bom dia,", COMMA_PAUSE_MS),
        Clause("minha senhora.", SENTENCE_PAUSE_MS),
        Clause("Eu queria reservar uma mesa.", SENTENCE_PAUSE_MS),
    ]


def test_a_language_without_known_openers_is_cut_between_words() -> None:
    assert [clause.text for clause in split_clauses("Guten Morgen wie geht es Ihnen", "de", SLOW)] == [
        "Guten Morgen wie geht",
        "es Ihnen",
    ]


@given(
    text=st.text(alphabet="aé ,.;!?…\"')e ou", max_size=400),
    language=st.sampled_from(["en", "pt-br", "xx"]),
    first=st.integers(1, 60),
    growth=st.floats(1, 3),
    longest=st.integers(60, 200),
)
def test_no_word_is_lost_and_no_clause_too_long(
    text: str, language: str, first: int, growth: float, longest: int
) -> None:
    clauses = split_clauses(text, language, ClauseSizes(first, growth, longest))
    assert " ".join(clause.text for clause in clauses).split() == text.split()
    for clause in clauses:
        assert len(clause.text) <= longest or " " not in clause.text
    if clauses:
        assert len(clauses[0].text) <= first or " " not in clauses[0].text
