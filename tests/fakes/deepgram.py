"""Deepgram's v1/listen and v2/listen as documented, for speech as in `fakes.speech`, and with faults."""

import asyncio
import contextlib
import json
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from appliance.units import FRAMES_PER_S
from fakes.server import LocalServer
from fakes.speech import Spoken, loudness_of, silent_frames, words_in

KEY = "good-deepgram-key"
NEWS_FRAMES = 10  # between two messages about the same words
ENDPOINT_FRAMES = 20
LONGEST_FRAMES = 150  # without a final result

Message = dict[str, Any]


@dataclass(frozen=True)
class Refuse:
    """Answer the handshake with this HTTP status."""

    status: int


@dataclass(frozen=True)
class Close:
    """Hang up in mid-utterance with a close frame."""

    after_frames: int
    code: int = 1011


@dataclass(frozen=True)
class Abort:
    """Break the TCP connection, and with `leave` let nobody in until the server is told to arrive again."""

    after_frames: int
    leave: bool = False


@dataclass(frozen=True)
class HalfOpen:
    """Neither read nor answer any more, but keep the connection."""

    after_frames: int


@dataclass(frozen=True)
class Drip:
    """Answer slowly: this long for each message."""

    delay_s: float


@dataclass(frozen=True)
class Chatter:
    """Before each message one of a kind that no SDK knows, and one that lacks everything."""


Fault = Refuse | Close | Abort | HalfOpen | Drip | Chatter


@dataclass
class Visit:
    """One connection as the server saw it."""

    path: str
    query: dict[str, str]
    loudness: list[int] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


class DeepgramServer(LocalServer):
    """`faults`: one for each connection in turn, None for a faultless one; those that come later have none."""

    def __init__(self, faults: Iterable[Fault | None] = (), idle_s: float = 10.0) -> None:
        super().__init__()
        self.visits: list[Visit] = []
        self.left = threading.Event()  # by itself, as Abort(leave=True) says
        self.faults = deque(faults)
        self._idle_s = idle_s

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/listen", self._listen), web.get("/v2/listen", self._listen)]

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        fault = self.faults.popleft() if self.faults else None
        if request.headers.get("Authorization") != f"Token {KEY}":
            raise web.HTTPUnauthorized
        if isinstance(fault, Refuse):
            return web.Response(status=fault.status)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        visit = Visit(request.path, dict(request.query))
        self.visits.append(visit)
        with contextlib.suppress(ConnectionError):
            await self._serve(request, socket, visit, fault)
        return socket

    async def _serve(
        self, request: web.Request, socket: web.WebSocketResponse, visit: Visit, fault: Fault | None
    ) -> None:
        recogniser = Turns(visit) if visit.path.startswith("/v2") else Stretches(visit)
        for message in recogniser.greeting():
            await socket.send_json(message)
        while True:
            try:
                received = await socket.receive(self._idle_s)
            except TimeoutError:
                await socket.close(code=1011, message=b"NET-0001")
                return
            if received.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
                return
            if received.type is WSMsgType.BINARY:
                visit.loudness += loudness_of(received.data)
                answers = recogniser.listen(len(visit.loudness))
            else:
                visit.requests.append(json.loads(received.data)["type"])
                answers = recogniser.obey(visit.requests[-1])
            for answer in answers:
                if await self._strike(request, socket, visit, fault):
                    return
                await socket.send_json(answer)
            if await self._strike(request, socket, visit, fault):
                return
            if visit.requests[-1:] == ["CloseStream"]:
                await socket.close()
                return

    async def _strike(
        self, request: web.Request, socket: web.WebSocketResponse, visit: Visit, fault: Fault | None
    ) -> bool:
        """Let the fault happen, if it is time. Returns whether the connection is done for."""
        match fault:
            case Drip(delay_s):
                await asyncio.sleep(delay_s)
            case Chatter():
                await socket.send_json({"type": "Brandnew", "wisdom": 42})
                await socket.send_json({"type": "Results" if visit.path.startswith("/v1") else "TurnInfo"})
            case Close(after, code) if len(visit.loudness) >= after:
                await socket.close(code=code)
                return True
            case HalfOpen(after) if len(visit.loudness) >= after:
                await asyncio.Event().wait()
            case Abort(after, leave) if len(visit.loudness) >= after:
                if leave:
                    await self._leave_now()
                assert request.transport
                request.transport.abort()
                return True
        return False

    async def _leave_now(self) -> None:
        """Stop listening. Not all of leaving: this is called from within a request."""
        assert self._runner
        for site in list(self._runner.sites):
            await site.stop()
        self.left.set()


class Stretches:
    """v1: results about consecutive stretches of audio; see Deepgram's "Interim Results" and "Endpointing"."""

    def __init__(self, visit: Visit) -> None:
        self._loudness = visit.loudness
        self._start = 0
        self._heard = 0

    def greeting(self) -> list[Message]:
        return []

    def listen(self, end: int) -> Iterator[Message]:
        """Judge the audio in steps, so that it does not matter in what portions it came."""
        while self._heard + NEWS_FRAMES <= end:
            self._heard += NEWS_FRAMES
            words = words_in(self._loudness, self._start, self._heard)
            silence = silent_frames(self._loudness, self._start, self._heard)
            if words and silence >= ENDPOINT_FRAMES:
                yield self._result(words, self._heard, is_final=True, speech_final=True)
            elif self._heard - self._start >= LONGEST_FRAMES and silence:
                yield self._result(words, self._heard, is_final=True)
            else:
                yield self._result(words, self._heard)

    def obey(self, request: str) -> Iterator[Message]:
        if request in ("Finalize", "CloseStream"):
            self._heard = len(self._loudness)
            words = words_in(self._loudness, self._start, self._heard)
            if words:
                yield self._result(words, self._heard, is_final=True, from_finalize=request == "Finalize")
        if request == "CloseStream":
            yield {"type": "Metadata", "request_id": "r", "sha256": "s", "created": "c", "duration": 1.0, "channels": 1}

    def _result(
        self,
        words: list[Spoken],
        end: int,
        is_final: bool = False,
        speech_final: bool = False,
        from_finalize: bool = False,
    ) -> Message:
        start = self._start
        if is_final:
            self._start = end
        alternative = {
            "transcript": " ".join(word.text for word in words),
            "confidence": 0.9,
            "words": [
                {
                    "word": word.text,
                    "punctuated_word": word.text,
                    "start": word.start / FRAMES_PER_S,
                    "end": word.end / FRAMES_PER_S,
                    "confidence": 0.9,
                }
                for word in words
            ],
        }
        return {
            "type": "Results",
            "channel_index": [0, 1],
            "start": start / FRAMES_PER_S,
            "duration": (end - start) / FRAMES_PER_S,
            "is_final": is_final,
            "speech_final": speech_final,
            "from_finalize": from_finalize,
            "channel": {"alternatives": [alternative]},
            "metadata": {
                "request_id": "r",
                "model_uuid": "u",
                "model_info": {"name": "nova-3", "version": "1", "arch": "nova-3"},
            },
        }


class Turns:
    """v2: one turn at a time, all of it in each message; see Deepgram's "Flux State Machine"."""

    def __init__(self, visit: Visit) -> None:
        self._loudness = visit.loudness
        self._start = 0
        self._heard = 0
        self._turn = 0
        self._speaking = False
        self._sequence = -1

    def greeting(self) -> list[Message]:
        return [{"type": "Connected", "request_id": "r", "sequence_id": self._next()}]

    def listen(self, end: int) -> Iterator[Message]:
        while self._heard + NEWS_FRAMES <= end:
            self._heard += NEWS_FRAMES
            words = words_in(self._loudness, self._start, self._heard)
            if words and silent_frames(self._loudness, self._start, self._heard) >= ENDPOINT_FRAMES:
                yield self._info("EndOfTurn", words)
            elif words and not self._speaking:
                yield self._info("StartOfTurn", words)
            else:
                yield self._info("Update", words)

    def obey(self, request: str) -> Iterator[Message]:
        self._heard = len(self._loudness)
        words = words_in(self._loudness, self._start, self._heard)
        if request == "ForceEndTurn" and words:
            yield self._info("EndOfTurn", words)

    def _info(self, event: str, words: list[Spoken]) -> Message:
        info = {
            "type": "TurnInfo",
            "request_id": "r",
            "sequence_id": self._next(),
            "event": event,
            "turn_index": self._turn,
            "audio_window_start": self._start / FRAMES_PER_S,
            "audio_window_end": self._heard / FRAMES_PER_S,
            "transcript": " ".join(word.text for word in words),
            "words": [
                {
                    "word": word.text,
                    "confidence": 0.9,
                    "start": word.start / FRAMES_PER_S,
                    "end": word.end / FRAMES_PER_S,
                }
                for word in words
            ],
            "end_of_turn_confidence": 0.9 if event == "EndOfTurn" else 0.1,
        }
        self._speaking = bool(words) and event != "EndOfTurn"
        if event == "EndOfTurn":
            self._turn += 1
            self._start = self._heard
        return info

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence
