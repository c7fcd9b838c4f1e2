"""What a translation must not change is found in a text, however it is written or said."""

import pytest

from appliance.speech.facts import decimal_of, find_facts


@pytest.mark.parametrize(
    ("language", "text", "kinds"),
    [
        ("en", "It costs $1,234.56 a month.", {"$1,234.56": "number"}),
        ("en", "Call +1 415 555 0142 or 555-0142.", {"+1 415 555 0142": "code", "555-0142": "code"}),
        ("pt-br", "Ligue para (11) 98765-4321, CEP 01310-100.", {"(11) 98765-4321": "code", "01310-100": "code"}),
        ("en", "Write to marta.k@acme-foundry.com today.", {"marta.k@acme-foundry.com": "email"}),
        ("en", "At 8:30 pm, not 6 a.m.", {"8:30 pm": "time", "6 a.m.": "time"}),
        ("pt-br", "Das 8h às 20h30.", {"8h": "time", "20h30": "time"}),
        ("en", "at half past seven in the evening", {"half past seven in the evening": "time"}),
        ("en", "Meet me at eight o'clock.", {"eight o'clock": "time"}),
        ("pt-br", "às oito e meia da manhã", {"oito e meia da manhã": "time"}),
        ("pt-br", "às nove e quinze", {"nove e quinze": "time"}),
        ("en", "born on 12/25/1990", {"12/25/1990": "date"}),
        ("en", "my account is four, five, seven, nine", {"four, five, seven, nine": "digits"}),
        ("en", "twenty-one boxes and 3 pallets", {"twenty-one": "number", "3": "number"}),
        ("en", "3.5 million users and 12% growth", {"3.5 million": "number", "12": "number"}),
        ("pt-br", "setenta por cento de cem reais", {"setenta": "number", "cem": "number"}),
        ("pt-br", "dois quilos e meio, dois e meio", {"dois": "number", "dois e meio": "number"}),
        ("en", "the twenty-third of them, one by one", {}),
        ("en", "model QX17 and X1", {}),
        ("de", "um 8:30 Uhr", {"8:30": "time"}),
        ("en", "", {}),
    ],
)
def test_what_is_found(language, text, kinds):
    found = {fact.text: fact.kind for fact in find_facts(text, language)}
    assert found == {key.removeprefix("$"): kind for key, kind in kinds.items()}


@pytest.mark.parametrize(
    ("english", "portuguese"),
    [
        ("1,234.56", "1.234,56"),
        ("15,000", "15.000"),
        ("15,000", "quinze mil"),
        ("3.5 million", "3,5 milhões"),
        ("four five seven nine", "4579"),
        ("nineteen ninety-nine", "1999"),
        ("twenty-one", "vinte e uma"),
        ("8:30 pm", "20h30"),
        ("8:30", "20:30"),
        ("eight thirty", "8h30"),
        ("eight o'clock", "oito horas"),
        ("6 a.m.", "6 da manhã"),
        ("12/25/1990", "25/12/1990"),
        ("555-0142", "5550142"),
        ("R$ 500", "500 reais"),
    ],
)
def test_the_same_in_both_languages(english, portuguese):
    (one,), (other,) = find_facts(english, "en"), find_facts(portuguese, "pt-br")
    assert one.agrees(other)


@pytest.mark.parametrize(
    ("english", "portuguese"),
    [
        ("1,234", "1,234"),  # a thousand and more; one and a bit
        ("8:30 am", "20:30"),
        ("four five seven nine", "quatro cinco e nove"),
        ("$500", "R$ 500"),
        ("fifteen", "cinquenta"),
    ],
)
def test_not_the_same(english, portuguese):
    (one,), other = find_facts(english, "en"), find_facts(portuguese, "pt-br")
    assert not any(one.agrees(fact) for fact in other)


@pytest.mark.parametrize(
    ("digits", "language", "value"),
    [
        ("1,234.50", "en", "1234.5"),
        ("1.234,50", "pt-br", "1234.5"),
        ("1.234,50", "en", "1234.5"),  # written as the other language does
        ("1.234", "en", "1.234"),
        ("1.234", "pt-br", "1234"),
        ("007", "en", "007"),
        ("1,234,56", "pt-br", "123456"),
    ],
)
def test_decimal_marks_are_read_as_the_language_writes_them(digits, language, value):
    assert decimal_of(digits, language) == value
