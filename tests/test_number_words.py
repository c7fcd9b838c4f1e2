"""Numbers as people say them, in English and Brazilian Portuguese."""

import pytest

from appliance.speech.number_words import spoken_number


@pytest.mark.parametrize(
    ("language", "text", "digits", "length"),
    [
        ("en", "four five seven nine", "4579", 4),
        ("en", "five five five oh one four two", "5550142", 7),
        ("en", "twenty one", "21", 2),
        ("en", "one hundred and five apples", "105", 4),
        ("en", "twelve hundred", "1200", 2),
        ("en", "two thousand and twenty six", "2026", 5),
        ("en", "one thousand two hundred thirty four", "1234", 6),
        ("en", "three million five hundred thousand", "3500000", 5),
        ("en", "fourteen fifty five", "1455", 3),
        ("en", "twenty twenty six", "2026", 3),
        ("en", "eight thirty", "830", 2),
        ("en", "two and three", "2", 1),
        ("en", "hundred", "100", 1),
        ("pt-br", "quatro cinco sete nove", "4579", 4),
        ("pt-br", "nove meia três", "963", 3),
        ("pt-br", "meia três dois", "632", 3),
        ("pt-br", "vinte e uma caixas", "21", 3),
        ("pt-br", "cento e cinco", "105", 3),
        ("pt-br", "mil duzentos e trinta e quatro", "1234", 6),
        ("pt-br", "duzentas e cinquenta mil", "250000", 4),
        ("pt-br", "dois mil e vinte e seis", "2026", 6),
        ("pt-br", "trinta e cinco mil e duzentos", "35200", 6),
        ("pt-br", "dois milhões", "2000000", 2),
        ("pt-br", "quatorze cinquenta e cinco", "1455", 4),
        ("pt-br", "vinte e dois e três", "22", 3),
        ("pt-br", "oito e meia", "8", 1),
    ],
)
def test_a_number_in_words_is_read_as_far_as_it_goes(language, text, digits, length):
    spoken = spoken_number(text.split(), language)
    assert spoken is not None
    assert (spoken.digits, spoken.length) == (digits, length)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "one of them"),
        ("en", "a hundred"),  # begins at the next word
        ("en", "oh really"),
        ("pt-br", "um amigo"),
        ("pt-br", "uma vez"),
        ("pt-br", "meia dúzia de ovos"),
        ("pt-br", "e dois"),
        ("de", "vier fünf"),
        ("en", ""),
    ],
)
def test_what_is_no_number(language, text):
    assert spoken_number(text.split(), language) is None
