"""Which languages work with which engines."""

import re

import pytest

from appliance.commands.languages import rows_for
from appliance.engines.languages import (
    NLLB_CODES,
    RECOGNIZED,
    SPOKEN,
    TRANSLATED,
    bcp47,
    best_match,
    combinations,
    directions,
    pair_for,
)
from appliance.engines.registry import RECOGNIZERS, STREAMING_RECOGNIZERS, SYNTHESIZERS, TRANSLATORS
from appliance.route_rules import LANGUAGE_TAG


def test_the_table_names_engines_that_there_are_and_all_of_them() -> None:
    assert set(RECOGNIZERS) | set(STREAMING_RECOGNIZERS) == set(RECOGNIZED)
    assert set(TRANSLATORS) == set(TRANSLATED)
    assert set(SYNTHESIZERS) == set(SPOKEN)


def test_languages_are_lower_case_tags() -> None:
    tags = {tag for engine in (*RECOGNIZED.values(), *SPOKEN.values()) for tag in engine} | set(NLLB_CODES)
    assert all(LANGUAGE_TAG.fullmatch(tag) and tag == tag.lower() for tag in tags)
    assert all(re.fullmatch(r"[a-z]{3}_[A-Z][a-z]{3}", code) for code in NLLB_CODES.values())


def test_the_embedded_engines_interpret_between_english_and_brazilian_portuguese() -> None:
    assert directions("whisper-tiny-en", "bergamot", "kokoro") == {("en", "pt-br")}
    assert directions("whisper-base", "bergamot", "piper") == {("pt-br", "en")}


def test_one_who_speaks_a_variant_understands_the_language() -> None:
    assert ("de", "pt-br") in directions("whisper-base", "nllb", "kokoro")  # NLLB knows "pt" only
    assert ("es", "en") in directions("deepgram-flux", "deepl", "piper")


def test_every_combination_in_the_table_can_interpret_something() -> None:
    found = list(combinations())
    assert all(combination.directions for combination in found)
    named = {(c.recognizer, c.translator, c.synthesizer) for c in found}
    assert ("whisper-base", "bergamot", "kokoro") in named
    assert ("whisper-tiny-en", "bergamot", "piper") not in named  # English to English


@pytest.mark.parametrize(
    ("tag", "written"), [("pt-br", "pt-BR"), ("zh-hans", "zh-Hans"), ("es-419", "es-419"), ("en", "en")]
)
def test_tags_are_written_as_others_expect_them(tag: str, written: str) -> None:
    assert bcp47(tag) == written


def test_the_whole_tag_goes_before_its_first_part() -> None:
    assert best_match({"pt", "pt-br"}, "pt-br") == "pt-br"
    assert best_match({"pt"}, "pt-br") == "pt"
    assert best_match({"pt-br"}, "pt") == ""
    assert pair_for({("en", "pt"), ("en", "pt-br")}, "en-us", "pt-br") == ("en", "pt-br")
    assert pair_for({("en", "pt")}, "en", "de") is None


def test_the_table_of_the_command_has_every_direction_once() -> None:
    shown = {(row.recognizer, row.translator, row.synthesizer): row.directions for row in rows_for("", "")}
    for one in combinations():
        directions = shown.pop((one.recognizer, one.translator, one.synthesizer))
        assert sum(map(len, directions.values())) == len(one.directions)
        assert {(a, b) for a, targets in directions.items() for b in targets} == one.directions
    assert not shown


def test_the_command_shows_what_serves_a_language() -> None:
    for row in rows_for("en-us", "pt-br"):  # few engines know "en-us" by its whole tag
        assert set(row.directions) <= {"en", "en-us"}
        assert {target for targets in row.directions.values() for target in targets} <= {"pt-br", "pt"}
    engines = {(row.recognizer, row.translator, row.synthesizer) for row in rows_for("en-us", "pt-br")}
    assert ("whisper-tiny-en", "bergamot", "kokoro") in engines
    assert not rows_for("en", "tlh")
