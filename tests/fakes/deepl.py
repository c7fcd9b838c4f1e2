"""DeepL's v2/translate and v2/usage as documented, with faults."""

import asyncio
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from fakes.server import LocalServer

KEY = "good-deepl-key:fx"
GLOSSARY_ID = "def3a26b-3e84-45b3-84ae-0c0aaf3525f7"


@dataclass(frozen=True)
class Refuse:
    """Answer with this HTTP status."""

    status: int


@dataclass(frozen=True)
class Hang:
    """Take the request and say nothing until the server is told to (`released`)."""


@dataclass(frozen=True)
class Drip:
    """Begin to answer, and go on with a byte now and then, until the server is told to stop."""


@dataclass(frozen=True)
class HangUp:
    """Break the connection instead of answering."""


Fault = Refuse | Hang | Drip | HangUp


class DeepLServer(LocalServer):
    """`faults`: one for each request in turn. It "translates" by naming the target language."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        super().__init__()
        self.requests: list[dict[str, Any]] = []
        self.held = threading.Event()  # a request hangs or drips
        self.released = threading.Event()
        self._faults = deque(faults)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/v2/translate", self._translate), web.get("/v2/usage", self._usage)]

    async def _usage(self, request: web.Request) -> web.Response:
        self._check_key(request)
        return web.json_response({"character_count": 42, "character_limit": 500_000})

    async def _translate(self, request: web.Request) -> web.StreamResponse:
        self._check_key(request)
        asked = await request.json()
        self.requests.append(asked)
        match self._faults.popleft() if self._faults else None:
            case Refuse(status):
                return web.json_response({"message": "as you wish"}, status=status)
            case Hang():
                await self._hold()
            case Drip():
                return await self._drip(request)
            case HangUp():
                assert request.transport
                request.transport.abort()
        if asked.get("glossary_id", GLOSSARY_ID) != GLOSSARY_ID:
            return web.json_response({"message": "no such glossary"}, status=404)
        text = f"{asked['text'][0]} in {asked['target_lang']}"
        answer = {"detected_source_language": asked["source_lang"], "text": text, "billed_characters": len(text)}
        return web.json_response({"translations": [answer]})

    def _check_key(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != f"DeepL-Auth-Key {KEY}":
            raise web.HTTPForbidden

    async def _hold(self) -> None:
        self.held.set()
        while not self.released.is_set():
            await asyncio.sleep(0.01)

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        self.held.set()
        while not self.released.is_set():
            await response.write(b" ")
            await asyncio.sleep(0.01)
        return response
