"""Numbers and names that a translation loses are put right, or translated again behind a placeholder."""

from collections.abc import Callable

import pytest

from appliance.speech.glossary import Glossary, Term
from appliance.speech.number_guard import check, translate_guarded


def engine(*answers: str) -> Callable[[str], str]:
    """Answers in turn, whatever it is asked; "{}" is what stands for the only fact or term."""
    rest = iter(answers)

    def translate(text: str) -> str:
        marks = [word.strip(".,!?") for word in text.split() if word[:2] in ("73", "QX")]
        return next(rest).format(*marks)

    return translate


@pytest.mark.parametrize(
    ("english", "translated", "right"),
    [
        ("It costs $1,234.56.", "Custa $1,234,56.", "Custa $1.234,56."),
        ("Write to a.b@acme-foundry.com.", "Escreva para a.b-acme-foundry.com.", "Escreva para a.b@acme-foundry.com."),
        ("five five five oh one", "é cinco cinco seis zero um", "é cinco cinco cinco zero um"),
        ("We meet at 8:30 pm.", "Nos vemos às 18h30.", "Nos vemos às 20:30."),
        ("We meet at 8:00 am.", "Nos vemos às 18h.", "Nos vemos às 8 horas."),
        ("call 555-0142", "ligue 555-0124", "ligue 555-0142"),
        ("on 12/25/1990", "em 12/26/1990", "em 25/12/1990"),
        ("3.5 million", "3,5 mil", "3500000"),
        ("in 1455 and 1456", "em 1455 e 1465", "em 1455 e 1456"),
    ],
)
def test_a_changed_fact_is_put_right(english, translated, right):
    checked = check(english, translated, "en", "pt-br")
    assert (checked.text, checked.repaired, checked.lost) == (right, 1, ())


@pytest.mark.parametrize(
    ("portuguese", "translated", "right"),
    [
        ("Custa R$ 1.234,56.", "It costs R$ 1.234,5.", "It costs R$ 1,234.56."),
        ("é nove oito sete seis", "it is nine eight seven five", "it is nine eight seven six"),
        ("às 20h30", "at 8:30 AM", "at 8:30 PM"),
        ("são mil duzentos e trinta", "they are 1,200", "they are 1230"),
    ],
)
def test_also_into_english(portuguese, translated, right):
    checked = check(portuguese, translated, "pt-br", "en")
    assert (checked.text, checked.repaired, checked.lost) == (right, 1, ())


@pytest.mark.parametrize(
    ("english", "translated"),
    [
        ("four five seven nine", "4579"),
        ("I was charged twice, by two of them", "Fui cobrado duas vezes, por dois deles"),
        ("one of them", "um deles"),
        ("the second of 3", "o segundo de três"),
    ],
)
def test_what_survived_is_left_alone(english, translated):
    checked = check(english, translated, "en", "pt-br")
    assert (checked.text, checked.repaired, checked.lost) == (translated, 0, ())


def test_a_fact_that_is_gone_is_reported_lost():
    checked = check("rooms 12 and 14", "quartos", "en", "pt-br")
    assert [fact.text for fact in checked.lost] == ["12", "14"]


def test_a_lost_fact_is_translated_again_behind_a_placeholder():
    translate = engine("Aconteceu em dezenove e nove anos.", "Aconteceu em {}.")
    guarded = translate_guarded("It happened in nineteen ninety-nine.", "en", "pt-br", translate)
    assert (guarded.text, guarded.retried, guarded.lost) == ("Aconteceu em 1999.", True, ())


def test_digits_of_which_one_is_missing_are_translated_again():
    translate = engine("The number is half three two.", "The number is {}.")
    guarded = translate_guarded("O número é meia três dois.", "pt-br", "en", translate)
    assert (guarded.text, guarded.retried, guarded.lost) == ("The number is six three two.", True, ())


def test_when_the_second_try_is_no_better_the_first_is_taken_and_the_loss_told():
    guarded = translate_guarded("rooms 12 and 14", "en", "pt-br", engine("quartos", "salas"))
    assert (guarded.text, guarded.retried, guarded.lost) == ("quartos", True, ("12", "14"))


def test_a_good_translation_is_asked_for_once():
    guarded = translate_guarded("room 12", "en", "pt-br", engine("quarto 12"))
    assert (guarded.text, guarded.retried, guarded.repaired) == ("quarto 12", False, 0)


def test_glossary_terms_are_held_fast():
    glossary = Glossary([Term("escrow account", "conta caução", "en", "pt"), Term("Marta Kowalski", "Marta Kowalski")])
    guarded = translate_guarded("the escrow account is empty", "en", "pt-br", engine("a {} está vazia"), glossary)
    assert (guarded.text, guarded.lost) == ("a conta caução está vazia", ())


def test_a_glossary_term_that_is_lost_is_told():
    glossary = Glossary([Term("escrow account", "conta caução")])
    translate = engine("está vazia", "está vazia")
    assert translate_guarded("the escrow account is empty", "en", "pt-br", translate, glossary).lost == (
        "conta caução",
    )
