"""DeepL as a Translator, within a time budget that its SDK does not know."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

import deepl

from appliance.engines.languages import TRANSLATED, pair_for
from appliance.engines.protocols import EngineError, EngineRefused, EngineUnavailable, Option, TranslationRequest
from appliance.engines.web_errors import error_for_status

KEY_VARIABLE = "DRAGOMAN_DEEPL_KEY"
# Where a tag leaves the variant open, DeepL wants one of the target.
TARGET_VARIANTS = {"en": "EN-US", "pt": "PT-BR"}
MOST_OVERDUE = 8  # calls that we do not wait for any more, but that have not ended either

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class DeepLSettings:
    """How to reach DeepL, and how long to wait for it."""

    key: str
    server: str = ""  # empty: by the kind of key, as the SDK does
    budget_ms: int = 800


class DeepL:
    """Takes earlier sentences as context, formality and glossaries; it cannot be given the beginning of its answer."""

    pairs = TRANSLATED["deepl"]
    options: frozenset[Option] = frozenset({"context", "formality", "glossary_id"})

    def __init__(self, settings: DeepLSettings) -> None:
        if not settings.key:
            raise EngineRefused(f"DeepL needs an API key; set {KEY_VARIABLE} or cloud.deepl.key_file")
        self._budget_s = settings.budget_ms / 1000
        self._overdue = threading.BoundedSemaphore(MOST_OVERDUE)
        # Both are the SDK's only way: process-wide, and for each read, hence the budget of our own.
        deepl.http_client.max_network_retries = 0
        deepl.http_client.min_connection_timeout = self._budget_s
        self._client = deepl.DeepLClient(settings.key, server_url=settings.server or None, send_platform_info=False)

    def warm(self) -> None:
        """Connect and check the key. Raises EngineError."""
        self._within_budget(self._client.get_usage)

    def close(self) -> None:
        """Hang up. A call that is overdue ends by itself."""
        self._client.close()  # type: ignore[no-untyped-call]

    def translate(self, text: str, source: str, target: str) -> str:
        return self.translate_request(TranslationRequest(text, "", 0, False, source, target))

    def translate_request(self, request: TranslationRequest) -> str:
        pair = pair_for(self.pairs, request.source_lang, request.target_lang)
        if pair is None:
            raise EngineError(f'DeepL does not translate from "{request.source_lang}" to "{request.target_lang}"')
        if not request.text.strip():
            return ""
        answer = self._within_budget(lambda: self._ask(request, *pair))
        return answer.text if isinstance(answer, deepl.TextResult) else ""

    def _ask(self, request: TranslationRequest, source: str, target: str) -> object:
        return self._client.translate_text(
            request.text,
            source_lang=source.partition("-")[0].upper(),
            target_lang=TARGET_VARIANTS.get(target, target.upper()),
            context=request.context or None,
            formality=f"prefer_{request.formality}" if request.formality else None,  # never an error, unlike "more"
            glossary=request.glossary_id or None,
            split_sentences="nonewlines",
            preserve_formatting=request.partial,  # no full stop where the sentence goes on
            model_type="latency_optimized",
        )

    def _within_budget(self, call: Callable[[], Answer]) -> Answer:
        """The answer to `call`, or EngineUnavailable when the budget is spent: then its thread is left behind.

        A read that gets a byte now and then never times out, so that only another thread can stop waiting for it.
        """
        if not self._overdue.acquire(blocking=False):
            raise EngineUnavailable(f"DeepL has not answered {MOST_OVERDUE} requests yet")
        answer: Future[Answer] = Future()
        threading.Thread(target=self._settle, args=(answer, call), name="deepl", daemon=True).start()
        try:
            return answer.result(self._budget_s)
        except TimeoutError:
            raise EngineUnavailable(f"DeepL has not answered within {self._budget_s * 1000:.0f} ms") from None
        except deepl.DeepLException as error:
            raise _as_engine_error(error) from None

    def _settle(self, answer: Future[Answer], call: Callable[[], Answer]) -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # it belongs to whoever waits
            answer.set_exception(error)
        finally:
            self._overdue.release()


def _as_engine_error(error: deepl.DeepLException) -> EngineError:
    if error.http_status_code == HTTPStatus.NOT_FOUND:  # there is nothing else to be found
        return EngineRefused("DeepL does not know this glossary; check the id in appliance.toml")
    if isinstance(error, deepl.exceptions.ConnectionException):
        return EngineUnavailable("DeepL cannot be reached; check the network and cloud.deepl.server")
    if error.http_status_code is None:
        return EngineError(f"DeepL's SDK refuses the request: {error}")
    return error_for_status("DeepL", error.http_status_code, KEY_VARIABLE)
