"""ElevenLabs' v1/text-to-speech/{voice}/stream as documented, with faults."""

import asyncio
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from aiohttp import web

from appliance.units import SAMPLE_RATE_HZ
from fakes.server import LocalServer

KEY = "good-elevenlabs-key"
VOICE = "JBFqnCBsd6RMkjVDRZzb"
SAMPLES_PER_CHARACTER = SAMPLE_RATE_HZ // 16
ODD_BYTES = 1001  # samples do not come whole


@dataclass(frozen=True)
class Refuse:
    """Answer with this HTTP status."""

    status: int


@dataclass(frozen=True)
class Stop:
    """Send half of the sound, then nothing until the server is told to (`released`)."""


@dataclass(frozen=True)
class Drip:
    """Send a byte now and then."""


@dataclass(frozen=True)
class HangUp:
    """Break the connection after half of the sound."""


Fault = Refuse | Stop | Drip | HangUp


def sound_of(text: str) -> bytes:
    """What this server makes of `text`: a ramp, so that no sample is like its neighbour."""
    return np.arange(len(text) * SAMPLES_PER_CHARACTER, dtype="<i2").tobytes()


class ElevenLabsServer(LocalServer):
    """With a fault, each request fails that way."""

    def __init__(self, fault: Fault | None = None) -> None:
        super().__init__()
        self.requests: list[tuple[dict[str, str], dict[str, Any]]] = []  # query and body
        self.released = threading.Event()
        self._fault = fault

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def routes(self) -> list[web.RouteDef]:
        return [web.post(f"/v1/text-to-speech/{VOICE}/stream", self._speak)]

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("xi-api-key") != KEY:
            return web.json_response({"detail": {"status": "invalid_api_key"}}, status=401)
        asked = await request.json()
        self.requests.append((dict(request.query), asked))
        if isinstance(self._fault, Refuse):
            return web.json_response({"detail": {"message": asked["text"]}}, status=self._fault.status)
        response = web.StreamResponse(headers={"Content-Type": "audio/pcm"})
        await response.prepare(request)
        sound = sound_of(asked["text"])
        await self._send(request, response, sound)
        return response

    async def _send(self, request: web.Request, response: web.StreamResponse, sound: bytes) -> None:
        if isinstance(self._fault, Drip):
            while not self.released.is_set():
                await response.write(b"\0")
                await asyncio.sleep(0.01)
            return
        for place in range(0, len(sound), ODD_BYTES):
            if self._fault and place > len(sound) / 2:
                break
            await response.write(sound[place : place + ODD_BYTES])
        if isinstance(self._fault, HangUp):
            assert request.transport
            request.transport.abort()
        while isinstance(self._fault, Stop) and not self.released.is_set():
            await asyncio.sleep(0.01)
