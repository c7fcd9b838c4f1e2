"""DeepL through its real SDK, against a server that speaks its protocol and fails in every way."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from fakes.deepl import GLOSSARY_ID, KEY, DeepLServer, Drip, Hang, HangUp, Refuse

from appliance.engines.deepl import DeepL, DeepLSettings
from appliance.engines.protocols import (
    EngineError,
    EngineRefused,
    EngineUnavailable,
    RequestTranslator,
    TranslationRequest,
    translate,
)

MakeEngine = Callable[..., DeepL]
GENEROUS_MS = 20_000  # never to be spent, on however slow a machine


@pytest.fixture
def engine() -> Iterator[MakeEngine]:
    with ExitStack() as engines:

        def make(server: DeepLServer, budget_ms: int = GENEROUS_MS, key: str = KEY) -> DeepL:
            deepl = DeepL(DeepLSettings(key=key, server=server.url, budget_ms=budget_ms))
            engines.callback(deepl.close)
            return deepl

        yield make


def request(text: str = "Good morning", **given: Any) -> TranslationRequest:
    fields = {"stream_id": "leg1", "seq_num": 1, "partial": False, "source_lang": "en", "target_lang": "pt-br"}
    return TranslationRequest(text, **(fields | given))


@pytest.fixture
def server() -> Iterator[DeepLServer]:
    with DeepLServer() as running:
        yield running


def test_text_is_translated(server: DeepLServer, engine: MakeEngine) -> None:
    assert engine(server).translate("Good morning", "en", "pt-br") == "Good morning in PT-BR"


def test_what_helps_the_translation_reaches_deepl(server: DeepLServer, engine: MakeEngine) -> None:
    deepl = engine(server)
    assert isinstance(deepl, RequestTranslator)
    translate(deepl, request(context="Hello.", formality="more", glossary_id=GLOSSARY_ID, partial=True))
    (asked,) = server.requests
    assert asked["text"] == ["Good morning"]
    assert (asked["source_lang"], asked["target_lang"]) == ("EN", "PT-BR")
    assert (asked["context"], asked["formality"], asked["glossary_id"]) == ("Hello.", "prefer_more", GLOSSARY_ID)
    assert (asked["preserve_formatting"], asked["model_type"]) == (True, "latency_optimized")


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [("en-us", "de", ("EN", "DE")), ("pt-br", "en", ("PT", "EN-US")), ("zh-hant", "es-419", ("ZH", "ES-419"))],
)
def test_languages_are_named_as_deepl_wants_them(
    server: DeepLServer, source: str, target: str, expected: tuple[str, str], engine: MakeEngine
) -> None:
    engine(server).translate("text", source, target)
    assert (server.requests[0]["source_lang"], server.requests[0]["target_lang"]) == expected


def test_nothing_is_asked_for_nothing(server: DeepLServer, engine: MakeEngine) -> None:
    assert engine(server).translate("  ", "en", "pt-br") == ""
    assert not server.requests


def test_a_pair_that_deepl_lacks_is_an_error(server: DeepLServer, engine: MakeEngine) -> None:
    with pytest.raises(EngineError, match='from "en" to "tlh"'):
        engine(server).translate("text", "en", "tlh")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, EngineRefused),
        (401, EngineRefused),
        (403, EngineRefused),
        (456, EngineRefused),
        (429, EngineUnavailable),
        (500, EngineUnavailable),
        (503, EngineUnavailable),
        (529, EngineUnavailable),
    ],
)
def test_a_failure_says_whether_to_try_again_and_is_not_retried_here(
    status: int, kind: type[EngineError], engine: MakeEngine
) -> None:
    with DeepLServer([Refuse(status)]) as server:
        deepl = engine(server)
        with pytest.raises(kind, match=str(status)):
            deepl.translate("text", "en", "de")
        assert len(server.requests) == 1
        assert deepl.translate("text", "en", "de") == "text in DE"


@pytest.mark.parametrize("fault", [Hang(), Drip()])
def test_the_budget_ends_the_wait_and_not_the_server(fault: Hang | Drip, engine: MakeEngine) -> None:
    with DeepLServer([fault]) as server:
        deepl = engine(server, budget_ms=300)
        with pytest.raises(EngineUnavailable, match="300 ms"):
            deepl.translate("text", "en", "de")
        assert server.held.is_set()
        assert not server.released.is_set()  # it still owes the answer
        server.released.set()


def test_after_a_request_that_hangs_the_next_one_is_answered(engine: MakeEngine) -> None:
    with DeepLServer([Hang()]) as server:
        with pytest.raises(EngineUnavailable):
            engine(server, budget_ms=300).translate("text", "en", "de")
        assert engine(server).translate("text", "en", "de") == "text in DE"
        server.released.set()


def test_a_server_that_never_answers_does_not_collect_threads(engine: MakeEngine) -> None:
    with DeepLServer([Drip()] * 100) as server:
        deepl = engine(server, budget_ms=20)
        for _ in range(8):
            with pytest.raises(EngineUnavailable, match="20 ms"):
                deepl.translate("text", "en", "de")
        with pytest.raises(EngineUnavailable, match="8 requests"):
            deepl.translate("text", "en", "de")
        server.released.set()


def test_a_broken_connection_can_be_tried_again(engine: MakeEngine) -> None:
    with DeepLServer([HangUp()]) as server, pytest.raises(EngineUnavailable, match="cannot be reached"):
        engine(server).translate("text", "en", "de")


def test_a_glossary_that_is_gone_is_named_as_the_reason(server: DeepLServer, engine: MakeEngine) -> None:
    with pytest.raises(EngineRefused, match="glossary"):
        engine(server).translate_request(request(glossary_id="gone"))


def test_a_wrong_key_is_noticed_at_the_start_and_never_shown(server: DeepLServer, engine: MakeEngine) -> None:
    with pytest.raises(EngineRefused, match="DRAGOMAN_DEEPL_KEY") as refusal:
        engine(server, key="stolen-key").warm()
    assert "stolen-key" not in repr(refusal.value)
    engine(server).warm()


def test_without_a_key_nothing_is_loaded() -> None:
    with pytest.raises(EngineRefused, match="DRAGOMAN_DEEPL_KEY"):
        DeepL(DeepLSettings(key=""))
