"""The settings and keys of the engines that are not in the box."""

from pathlib import Path

import pytest
from fakes.deepgram import KEY as DEEPGRAM_KEY
from fakes.nllb import make_nllb

from appliance.config import Config, ConfigError, api_key, parse
from appliance.engines.protocols import EngineError, EngineRefused
from appliance.engines.registry import load_streaming_recognizer, load_synthesizer, load_translator

VARIABLES = ("DRAGOMAN_DEEPGRAM_KEY", "DRAGOMAN_DEEPL_KEY", "DRAGOMAN_ELEVENLABS_KEY")


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[cloud.deepl]\nbudget_ms = 5", "cloud.deepl.budget_ms: 5 is out of range; write a number from 50 to 10000"),
        ('[cloud.deepl]\nformality = "very"', 'cloud.deepl.formality: "very" is not known; write "more", "less" or ""'),
        ('[cloud.deepl.glossaries]\nen = "id"', 'cloud.deepl.glossaries: "en" is not a direction'),
        ('[cloud.deepgram]\nserver = "api.deepgram.com"', "begin it with wss://"),
        ('[cloud.deepgram]\nkey = "secret"', "cloud.deepgram.key: there is no such setting"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(text, "appliance.toml")
    assert problem in str(error.value)


def test_a_key_comes_from_the_environment_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("from-file\n")
    assert api_key("DRAGOMAN_DEEPL_KEY", "") == ""
    assert api_key("DRAGOMAN_DEEPL_KEY", str(key_file)) == "from-file"
    monkeypatch.setenv("DRAGOMAN_DEEPL_KEY", "from-environment")
    assert api_key("DRAGOMAN_DEEPL_KEY", str(key_file)) == "from-environment"


def test_without_keys_and_licences_nothing_outside_is_used() -> None:
    with pytest.raises(EngineRefused, match="DRAGOMAN_DEEPGRAM_KEY"):
        load_streaming_recognizer("deepgram-nova", Config())
    with pytest.raises(EngineRefused, match="DRAGOMAN_DEEPL_KEY"):
        load_translator("deepl", Config())
    with pytest.raises(EngineRefused, match="DRAGOMAN_ELEVENLABS_KEY"):
        load_synthesizer("elevenlabs", Config())
    with pytest.raises(EngineRefused, match="accepted_licence"):
        load_translator("nllb", Config())


def test_a_key_file_that_is_not_there_is_named() -> None:
    config = parse('[cloud.deepl]\nkey_file = "/nowhere/key"', "appliance.toml")
    with pytest.raises(EngineError, match="/nowhere/key"):
        load_translator("deepl", config)


def test_engines_are_made_as_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_nllb(tmp_path)
    monkeypatch.setenv("DRAGOMAN_DEEPGRAM_KEY", DEEPGRAM_KEY)
    config = parse(
        f'[cloud.nllb]\nfolder = "{tmp_path}"\naccepted_licence = "CC-BY-NC-4.0"\n'
        '[cloud.deepgram]\nflux_model = "flux-general-en"',
        "appliance.toml",
    )
    assert ("en", "pt") in load_translator("nllb", config).pairs
    recognizer = load_streaming_recognizer("deepgram-flux", config)
    assert recognizer.languages == {"en"}
    recognizer.close()
