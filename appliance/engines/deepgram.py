"""Deepgram as a StreamingRecognizer: one connection for each leg, made anew and sent its audio again after a cut."""

import asyncio
import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace

from deepgram import AsyncDeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.environment import DeepgramClientEnvironment
from websockets.exceptions import WebSocketException

from appliance.engines.deepgram_connection import Connection, Deadlines, StreamCounts
from appliance.engines.deepgram_dialects import Dialect, Flux, Nova, ServerError
from appliance.engines.protocols import (
    AUTO,
    EngineError,
    EngineRefused,
    EngineUnavailable,
    StreamContext,
    Transcript,
    covers,
)
from appliance.engines.replay_buffer import AudioFrame, ReplayBuffer
from appliance.engines.utterance import Heard, Utterance
from appliance.engines.web_errors import error_for_status
from appliance.units import FRAMES_PER_S

KEY_VARIABLE = "DRAGOMAN_DEEPGRAM_KEY"
LEAVE_S = 1.0  # for saying goodbye on all connections
MOST_CANCELS = 20  # the SDK's goodbye waits several times for 10 s, and a cancel ends one of them


@dataclass(frozen=True, slots=True)
class DeepgramSettings:
    """Which model, where, and how long to wait for what."""

    key: str
    model: str = "nova-3"  # "flux-general-…" speaks another protocol
    server: str = "wss://api.deepgram.com"
    endpoint_ms: int = 400
    deadlines: Deadlines = field(default_factory=Deadlines)
    reconnect_s: tuple[float, ...] = (0.05, 0.2, 0.4, 0.8)  # before each attempt; the last again and again
    patience_s: float = 10.0  # without a connection before `take` says so; attempts go on
    replay_s: float = 30.0  # audio that is kept until it is settled


class Deepgram:
    """Many streams, whose network traffic one thread takes care of. Loading it connects to nobody."""

    def __init__(self, settings: DeepgramSettings) -> None:
        if not settings.key:
            raise EngineRefused(f"Deepgram needs an API key; set {KEY_VARIABLE} or cloud.deepgram.key_file")
        self._settings = settings
        self._dialect: Dialect = Flux() if settings.model.startswith("flux") else Nova()
        english_only = settings.model == "flux-general-en"
        self.languages = frozenset({"en"}) if english_only else self._dialect.languages | {AUTO}
        rest = settings.server.replace("ws", "http", 1)
        self._client = AsyncDeepgramClient(
            api_key=settings.key,
            environment=DeepgramClientEnvironment(
                base=rest, production=settings.server, agent=settings.server, agent_rest=rest
            ),
        )
        self._streams: list[DeepgramStream] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="deepgram", daemon=True)
        self._thread.start()

    def warm(self) -> None:
        """Nothing: a connection without audio would be closed."""

    def open(self, context: StreamContext, language: str) -> "DeepgramStream":
        if not covers(self.languages, language):
            raise EngineRefused(f'Deepgram\'s {self._settings.model} does not know the language "{language}"')
        stream = DeepgramStream(self._loop, self._client, self._dialect, self._settings, context, language)
        self._streams = [other for other in self._streams if not other.closed] + [stream]
        return stream

    def advance(self) -> None:
        """Nothing: Deepgram decodes."""

    def close(self) -> None:
        if self._loop.is_closed():
            return
        for stream in self._streams:
            stream.close()
        asyncio.run_coroutine_threadsafe(_all_else_ended(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class DeepgramStream:
    """One leg's speech. The caller's thread and the network's share two queues, and numbers that one of them writes."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        client: AsyncDeepgramClient,
        dialect: Dialect,
        settings: DeepgramSettings,
        context: StreamContext,
        language: str,
    ) -> None:
        self.context = context
        self.closed = False
        self.counts = StreamCounts()
        self._client = client
        self._dialect = dialect
        self._settings = settings
        self._language = language
        self._inbox: deque[AudioFrame | None] = deque()  # None: the utterance ends
        self._outbox: deque[Transcript] = deque()
        self._buffer = ReplayBuffer(int(settings.replay_s * FRAMES_PER_S))
        self._utterance = Utterance(context, language)
        self._refusal: EngineError | None = None
        self._connection: Connection | None = None
        self._trouble = ""  # why there is no connection
        self._trouble_since = 0.0
        self._is_lasting = False  # that: the next attempt is not worth waiting for
        self._life = asyncio.run_coroutine_threadsafe(self._live(), loop)

    @property
    def dropped_frames(self) -> int:
        return self.counts.dropped_frames

    @property
    def needed_from(self) -> int:
        return self._buffer.needed_from

    def feed(self, pcm: bytes, capture_ns: int, seq_num: int) -> None:
        if not self._life.done():  # else nobody would take it out again
            self._inbox.append(AudioFrame(pcm, capture_ns, seq_num))

    def end_utterance(self) -> None:
        self._inbox.append(None)

    def take(self) -> list[Transcript]:
        taken = [self._outbox.popleft() for _ in range(len(self._outbox))]
        if taken:
            return taken
        if self._refusal:
            raise self._refusal
        if (trouble := self._trouble) and (self._is_lasting or self._is_away_too_long()):
            raise EngineUnavailable(f"no answer from Deepgram: {trouble}")
        return []

    def _is_away_too_long(self) -> bool:
        is_open = self._connection is not None and self._connection.is_open
        return not is_open and time.monotonic() - self._trouble_since > self._settings.patience_s

    def close(self) -> None:
        self.closed = True
        self._life.cancel()

    async def _live(self) -> None:
        """Hold a connection whenever there is audio to recognise, until the stream is closed or refused."""
        failures = 0
        while not self._refusal:
            await self._audio_to_send()
            # A line that is slow, or full of what is sent again, is given more time with each attempt.
            pulse_s = self._settings.deadlines.pulse_s * max(1, failures)
            deadlines = replace(self._settings.deadlines, pulse_s=pulse_s)
            connection = Connection(self._dialect, self._buffer, deadlines, self.counts)
            await self._use(connection)
            failures = 1 if connection.answered else failures + 1
            pauses_s = self._settings.reconnect_s
            await asyncio.sleep(pauses_s[min(failures, len(pauses_s)) - 1])

    async def _use(self, connection: Connection) -> None:
        """Recognise with `connection` until it ends, and note why.

        Who is hung up on in mid-speech may be let in again at once. Nobody else is waited for: not a server that lets
        nobody in or has never said anything, and not one that has stopped answering, which has cost its time already.
        """
        model, endpoint_ms = self._settings.model, self._settings.endpoint_ms
        self._connection = connection
        self._begin_trouble("it does not take the call")
        try:
            opening = self._dialect.connect(self._client, model, self._language, endpoint_ms)
            await connection.run(opening, self._collect, self._hear)
        except ApiError as error:  # never shown: it holds the headers, and they the key
            self._note(error_for_status("Deepgram", error.status_code or 500, KEY_VARIABLE), is_lasting=True)
        except (OSError, WebSocketException, ServerError) as error:
            is_lasting = isinstance(error, TimeoutError) or not connection.answered
            self._note(EngineUnavailable(str(error) or type(error).__name__), is_lasting)
        except Exception as error:  # of ours or of the SDK's; without this it would die unseen
            self._refusal = EngineError(f"Deepgram's stream has broken off: {error!r}")

    def _note(self, error: EngineError, is_lasting: bool) -> None:
        if isinstance(error, EngineRefused):
            self._refusal = error
        self._begin_trouble(str(error))
        self._trouble = str(error)
        self._is_lasting = self._is_lasting or is_lasting

    def _begin_trouble(self, why: str) -> None:
        if not self._trouble:
            self._trouble_since = time.monotonic()
            self._trouble = why

    def _end_trouble(self) -> None:
        self._trouble, self._is_lasting = "", False

    async def _audio_to_send(self) -> None:
        self._collect()
        while self._buffer.end == self._buffer.first:
            self._end_trouble()  # a server may hang up on one who is silent
            await asyncio.sleep(self._dialect.chunk_s)
            self._collect()

    def _collect(self) -> None:
        """Take over what was fed."""
        while self._inbox:
            frame = self._inbox.popleft()
            if frame:
                self._buffer.append(frame)
            else:
                self._buffer.end_utterance()
        self.counts.dropped_frames = self._buffer.dropped

    def _hear(self, heard: Heard, connection: Connection) -> None:
        self._end_trouble()
        transcript = self._utterance.hear(heard, connection.word, connection.seq_num)
        if transcript:
            self._outbox.append(transcript)
        if heard.settled_s is not None:
            connection.settle(heard.settled_s)


async def _all_else_ended() -> None:
    """Wait for the goodbyes, and cut short those that take too long."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    timeout_s = LEAVE_S
    for _ in range(MOST_CANCELS):
        if not others:
            break
        _, others = await asyncio.wait(others, timeout=timeout_s)
        timeout_s = 0.05
        for task in others:
            task.cancel()
