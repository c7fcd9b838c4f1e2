"""One connection to Deepgram: sends what is not settled, hears what is said about it, and notices when nothing is."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

from appliance.engines.deepgram_dialects import Dialect, UnknownMessageError
from appliance.engines.protocols import Word
from appliance.engines.pulse import Pulse
from appliance.engines.replay_buffer import AudioFrame, ReplayBuffer
from appliance.engines.utterance import Heard, HeardWord
from appliance.units import FRAME_BYTES, FRAMES_PER_S

REPLAY_FRAMES = FRAMES_PER_S  # in one message, when there is much to send again
SILENCE = bytes(FRAME_BYTES)

Sent = TypeVar("Sent")


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a connection may take for what."""

    connect_s: float = 3.0
    # No message for so long while audio goes in. Nova says something once a second, also of silence.
    answer_s: float = 2.0
    pulse_s: float = 0.5  # nor the answer to a ping: the connection is half open
    keep_alive_s: float = 3.0  # without audio; the server hangs up after 10 s


@dataclass(slots=True)
class StreamCounts:
    """What happened on one stream, over all of its connections."""

    connections: int = 0  # attempts
    unknown_messages: int = 0  # ignored
    dropped_frames: int = 0  # given up before they were settled, because a cut lasted too long


class Connection:
    """Lives from connecting to hanging up. What it hears is in seconds since it began."""

    def __init__(self, dialect: Dialect, buffer: ReplayBuffer, deadlines: Deadlines, counts: StreamCounts) -> None:
        self.is_open = False
        self.answered = False
        self._dialect = dialect
        self._buffer = buffer
        self._deadlines = deadlines
        self._counts = counts
        self._base = self._sent = buffer.first  # positions: of its first frame, and after the last one sent
        self._ended_at = -1  # where the server was last told that the utterance ends
        self._unanswered_since = 0.0  # 0: it owes no answer
        self._idle_since = time.monotonic()
        self._pulse = Pulse(deadlines.pulse_s, self._idle_since, self._idle_since)

    async def run(
        self,
        opening: AbstractAsyncContextManager[Any],
        collect: Callable[[], None],
        hear: Callable[[Heard, "Connection"], None],
    ) -> None:
        """Send and receive until something ends the connection, which is raised.

        collect: puts into the buffer what was fed meanwhile; hear: is given what the server says.
        """
        self._counts.connections += 1
        farewell = contextlib.AsyncExitStack()
        try:
            async with asyncio.timeout(self._deadlines.connect_s):
                socket = await farewell.enter_async_context(opening)
            self.is_open = True
            await _until_one_ends(self._send(socket, collect, hear), self._receive(socket, hear))
        finally:
            self.is_open = False
            # A peer that does not answer would hold up the goodbye, and that the next connection.
            _in_background(farewell.aclose())

    def settle(self, seconds: float) -> None:
        """Everything before `seconds` is final, as far as it was sent."""
        self._buffer.settle(min(self._position(seconds), self._sent))

    def word(self, heard: HeardWord) -> Word:
        """A word at the time at which it was captured."""
        start_ns = self._buffer.start_ns(self._position(heard.start_s))
        return Word(heard.text, start_ns, self._buffer.end_ns(self._position(heard.end_s)), heard.confidence)

    def seq_num(self, seconds: float) -> int:
        """The uplink sequence number of what was said at `seconds`."""
        return self._buffer.seq_num_at(self._position(seconds))

    def _position(self, seconds: float) -> float:
        return self._base + seconds * FRAMES_PER_S

    async def _send(
        self, socket: Any, collect: Callable[[], None], hear: Callable[[Heard, "Connection"], None]
    ) -> None:
        while True:
            collect()
            sent = await self._send_audio(socket)
            if self._buffer.ends_at(self._sent) and self._ended_at != self._sent:
                self._ended_at = self._sent
                await self._in_time(self._dialect.end_utterance(socket))
                if self._buffer.first >= self._sent:  # all of it is final: there will be no answer
                    hear(Heard(final=True, ends=True), self)
            await self._keep_alive(socket)
            await self._expect_an_answer(socket)
            await asyncio.sleep(0.0 if sent == REPLAY_FRAMES else self._dialect.chunk_s)

    async def _send_audio(self, socket: Any) -> int:
        """Send what there is, but not beyond the end of an utterance. Returns how many frames."""
        lost = max(self._buffer.first - self._sent, 0)  # dropped unsent: the server's clock stood still meanwhile
        self._base += lost
        self._sent += lost
        audio = self._buffer.read(self._sent, REPLAY_FRAMES)
        if audio:
            await self._in_time(socket.send_media(b"".join(audio)))
            self._sent += len(audio)
            self._idle_since = time.monotonic()
            self._unanswered_since = self._unanswered_since or self._idle_since
        return len(audio)

    async def _keep_alive(self, socket: Any) -> None:
        if time.monotonic() - self._idle_since < self._deadlines.keep_alive_s:
            return
        self._idle_since = time.monotonic()
        if self._dialect.keeps_alive_with_silence:
            # Goes through the buffer, so that positions remain what the server counts.
            self._buffer.append(AudioFrame(SILENCE, time.monotonic_ns(), self._buffer.next_seq_num - 1))
        else:
            await self._in_time(self._dialect.keep_alive(socket))

    async def _expect_an_answer(self, socket: Any) -> None:
        """Raises TimeoutError where there is nobody any more, or nobody who recognises."""
        now = time.monotonic()
        if not self._unanswered_since:
            self._pulse.hear(now)
        if self._pulse.is_to_be_asked(now):
            pong = await self._in_time(_ping(socket))
            pong.add_done_callback(self._hear_pong)
        if self._pulse.has_stopped(now):
            raise TimeoutError(f"the connection is dead: no answer to a ping for {self._deadlines.pulse_s:g} s")
        if self._unanswered_since and now - self._unanswered_since > self._deadlines.answer_s:
            raise TimeoutError(f"no answer for {self._deadlines.answer_s:g} s")

    def _hear_pong(self, answer: asyncio.Future[float]) -> None:
        if not answer.cancelled() and answer.exception() is None:
            self._pulse.hear(time.monotonic())

    async def _in_time(self, sending: Coroutine[Any, Any, Sent]) -> Sent:
        async with asyncio.timeout(self._deadlines.answer_s):
            return await sending

    async def _receive(self, socket: Any, hear: Callable[[Heard, "Connection"], None]) -> None:
        async for message in socket:
            self._unanswered_since = 0.0
            self._pulse.hear(time.monotonic())
            try:
                heard = self._dialect.read(message)
            except UnknownMessageError:
                self._counts.unknown_messages += 1
                continue
            if heard:
                self.answered = True
                hear(heard, self)
        raise ConnectionError("the server has hung up")


async def _ping(socket: Any) -> asyncio.Future[float]:
    """Send one; the SDK has none of its own. What comes of it is there when the answer is, or the connection ends."""
    pong: asyncio.Future[float] = await socket._websocket.ping()
    return pong


_goodbyes: set[asyncio.Task[None]] = set()  # asyncio itself keeps only weak references


def _in_background(goodbye: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(goodbye)
    _goodbyes.add(task)
    task.add_done_callback(_gone)


def _gone(task: asyncio.Task[None]) -> None:
    _goodbyes.discard(task)
    if not task.cancelled():
        task.exception()  # retrieved, so that asyncio does not complain: nobody minds how a goodbye went


async def _until_one_ends(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run all until one ends or raises, which is passed on; the others are cancelled."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
