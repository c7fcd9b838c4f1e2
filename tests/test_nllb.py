"""NLLB-200's real path: vocabulary, pieces, language codes and forced beginnings, on a small random model."""

import re
from pathlib import Path

import pytest
from fakes.nllb import make_nllb

from appliance.engines.nllb import LICENCE, Nllb, NllbSettings
from appliance.engines.protocols import EngineError, EngineRefused, RequestTranslator, TranslationRequest, translate


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("nllb")
    make_nllb(made)
    return made


@pytest.fixture(scope="module")
def nllb(folder: Path) -> Nllb:
    return Nllb(NllbSettings(folder, accepted_licence=LICENCE, threads=1))


def request(text: str, target_prefix: str = "") -> TranslationRequest:
    return TranslationRequest(text, "leg1", 1, True, "en", "pt-br", target_prefix=target_prefix)


def test_it_translates_between_the_languages_of_its_vocabulary(nllb: Nllb) -> None:
    nllb.warm()
    assert {language for pair in nllb.pairs for language in pair} == {"en", "pt", "es"}
    answer = nllb.translate("hello how are you today", "en", "pt-br")
    assert answer
    assert answer == nllb.translate("hello how are you today", "en-us", "pt")
    assert not any(code in answer for code in ("por_Latn", "eng_Latn", "</s>"))


def test_the_languages_are_told_to_the_model(nllb: Nllb) -> None:
    text = "good morning my friend"
    answers = {nllb.translate(text, *pair) for pair in (("en", "pt"), ("en", "es"), ("es", "pt"))}
    assert len(answers) == 3


@pytest.mark.parametrize("prefix", ["bom dia", "olá como você", "eu"])
def test_it_goes_on_from_a_given_beginning(nllb: Nllb, prefix: str) -> None:
    assert isinstance(nllb, RequestTranslator)
    assert "target_prefix" in nllb.options
    answer = translate(nllb, request("good morning my friend", prefix))
    assert answer.startswith(prefix)


def test_it_adds_nothing_to_nothing(nllb: Nllb) -> None:
    assert nllb.translate("  ", "en", "pt") == ""
    assert translate(nllb, request("", "bom dia")) == "bom dia"


def test_a_text_far_too_long_is_cut_and_does_not_fail(nllb: Nllb) -> None:
    assert nllb.translate("good morning my friend " * 400, "en", "pt")


def test_a_language_that_the_model_lacks_is_an_error(nllb: Nllb) -> None:
    with pytest.raises(EngineError, match='to "de"'):
        nllb.translate("hello", "en", "de")


@pytest.mark.parametrize("accepted", ["", "MIT"])
def test_its_licence_has_to_be_accepted_by_name(folder: Path, accepted: str) -> None:
    with pytest.raises(EngineRefused, match=re.escape("CC-BY-NC-4.0")):
        Nllb(NllbSettings(folder, accepted))
    assert Nllb.licence == "CC-BY-NC-4.0"


def test_a_folder_without_the_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=str(tmp_path)):
        Nllb(NllbSettings(tmp_path, LICENCE))
