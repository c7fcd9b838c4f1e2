"""A glossary is read from CSV, with every mistake in it told, and holds its terms fast around an engine."""

import pytest

from appliance.speech.glossary import PLACEHOLDERS, Glossary, GlossaryError, Term, parse_glossary

CSV = """source,target,source_language,target_language
escrow account,conta caução,en,pt-BR
account,conta,en,pt
Marta Kowalski,,,
"Acme, Inc.",,,
"""


def test_terms_are_read_and_the_longest_goes_first():
    glossary = parse_glossary(CSV, "terms.csv")
    assert glossary.terms[:2] == (
        Term("escrow account", "conta caução", "en", "pt-br"),
        Term("Marta Kowalski", "Marta Kowalski"),
    )
    assert Term("Acme, Inc.", "Acme, Inc.") in glossary.terms


def test_what_a_spreadsheet_writes_is_read_too():
    assert parse_glossary("\ufeffsource; target\r\nescrow;caução\r\n", "t.csv").terms == (Term("escrow", "caução"),)


def test_terms_are_protected_and_restored():
    glossary = parse_glossary(CSV, "terms.csv")
    protected = glossary.protect("The escrow account and the Account of marta kowalski.", "en", "pt-br")
    first, second, third = PLACEHOLDERS[:3]
    assert protected.text == f"The {first} and the {second} of {third}."
    restored, lost = protected.restore(f"A {first} e a {second.lower()} de {third}.")
    assert restored == "A conta caução e a conta de Marta Kowalski."
    assert lost == []


def test_what_has_no_place_any_more_is_told():
    protected = parse_glossary(CSV, "terms.csv").protect("the escrow account", "en", "pt-br")
    assert protected.restore("isso") == ("isso", ["conta caução"])


@pytest.mark.parametrize(
    ("text", "source", "target"),
    [
        ("the escrow account", "pt-br", "en"),  # the other direction
        ("the escrow account", "en", "fr"),
        ("the escrow accounting, accountable", "en", "pt-br"),  # whole words only
        ("", "en", "pt-br"),
    ],
)
def test_what_is_not_a_term_stays(text, source, target):
    assert parse_glossary(CSV, "terms.csv").protect(text, source, target).text == text


def test_a_placeholder_that_somebody_says_is_not_used():
    protected = Glossary([Term("rope", "corda")]).protect(f"{PLACEHOLDERS[0]} rope", "en", "pt-br")
    assert protected.text == f"{PLACEHOLDERS[0]} {PLACEHOLDERS[1]}"


def test_more_terms_than_placeholders_are_left_to_the_engine():
    text = " ".join(["rope"] * (len(PLACEHOLDERS) + 1))
    assert Glossary([Term("rope", "corda")]).protect(text, "en", "pt-br").text.endswith(" rope")


@pytest.mark.parametrize(
    ("csv", "problem"),
    [
        ("", 't.csv line 1: the glossary has no column "source"'),
        ("term,target\na,b\n", 't.csv line 1: the glossary has no column "source"'),
        ("source,taget\na,b\n", 't.csv line 1: the glossary has an unknown column "taget"'),
        ("source,target\n,b\n", "t.csv line 2: the source term is empty"),
        ("source,target\nAcme, Inc.,x\n", "t.csv line 2: there are more cells than columns"),
        ("source,target\n---,x\n", 't.csv line 2: the source term "---" has no letter or digit'),
        ("source,target,source_language\na,b,pt_BR\n", 't.csv line 2: "pt_br" is not a language tag'),
        ("source,target\na,b\nA,c\n", 't.csv line 3: "A" has two targets, "b" and "c"'),
    ],
)
def test_a_bad_line_is_named_with_what_to_do(csv, problem):
    with pytest.raises(GlossaryError) as error:
        parse_glossary(csv, "t.csv")
    assert str(error.value).startswith(problem)


def test_all_bad_lines_are_told_at_once():
    with pytest.raises(GlossaryError) as error:
        parse_glossary("source,target\n,b\n---,c\n", "t.csv")
    assert len(str(error.value).splitlines()) == 2
