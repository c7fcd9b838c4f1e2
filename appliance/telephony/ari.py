"""The ARI client: requests with typed errors, and the stream of events, which comes back by itself when it is lost."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from appliance.config import AsteriskConfig
from appliance.telephony.ari_messages import Bridge, Channel, Endpoint, Event, StoredRecording

REQUEST_S = 4.0
HEARTBEAT_S = 5.0
RETRY_MS = (200, 400, 800)  # the last one again and again

STORED = "recording:"  # what was recorded, in a list of what to play

# Asterisk closes an idle connection after 15 s; a request must not meet it closing.
KEEP_CONNECTION_S = 10.0


class AriError(Exception):
    """A request to Asterisk failed."""


class UnreachableError(AriError):
    """Asterisk does not answer, or not in time; whether the request was carried out is unknown."""


class RefusedError(AriError):
    """Asterisk answered, and will not do it."""


class NotFoundError(RefusedError):
    """There is no such channel or bridge, any more or yet."""


class WrongStateError(RefusedError):
    """The channel or bridge is not in a state for it: it has just left Stasis, or is being hung up."""


KINDS = {404: NotFoundError, 409: WrongStateError, 412: WrongStateError, 422: WrongStateError}


class Link(Enum):
    """How things stand with the stream of events."""

    UP = "up"
    LOST = "lost"
    DEGRADED = "degraded"  # tried RETRY_MS in vain; still trying


def retry_after_ms(waits: int) -> int:
    """How long to wait for the next attempt, after having waited that many times since the stream was there."""
    return RETRY_MS[min(waits, len(RETRY_MS) - 1)]


class Ari:
    """One application of one Asterisk. A context manager. Every request raises AriError."""

    def __init__(self, config: AsteriskConfig) -> None:
        self.application = config.application
        self._url = f"{config.ari_url.rstrip('/')}/ari"
        self._login = {"Authorization": aiohttp.encode_basic_auth(config.ari_user, config.ari_password)}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(keepalive_timeout=KEEP_CONNECTION_S)
        timeout = aiohttp.ClientTimeout(total=REQUEST_S)
        self._session = aiohttp.ClientSession(headers=self._login, connector=connector, timeout=timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    async def listen(
        self,
        on_event: Callable[[Event], None],
        resync: Callable[[], Awaitable[None]],
        on_link: Callable[[Link, str], None],
    ) -> None:
        """Follow the events until cancelled; reconnect whenever the stream is lost.

        on_event: called for each event, in order. resync: awaited after each (re)connect, before any event, since
        Asterisk repeats nothing that happened meanwhile. on_link: called with each change and a sentence about it.
        """
        events, query, waits = f"{self._url}/events", {"app": self.application}, 0
        while True:
            try:
                async with self._open().ws_connect(events, params=query, heartbeat=HEARTBEAT_S) as stream:
                    await resync()
                    waits = 0
                    on_link(Link.UP, "ARI is connected")
                    await self._follow(stream, on_event)
                    on_link(Link.LOST, "Asterisk closed the stream of ARI events")
            except (aiohttp.ClientError, OSError, TimeoutError, AriError) as error:
                if waits == len(RETRY_MS):
                    on_link(Link.DEGRADED, _sentence(self._url, error))
            await asyncio.sleep(retry_after_ms(waits) / 1000)
            waits += 1

    async def _follow(self, stream: aiohttp.ClientWebSocketResponse, on_event: Callable[[Event], None]) -> None:
        async for message in stream:
            if message.type is aiohttp.WSMsgType.TEXT and (event := _event(message.data)):
                on_event(event)

    async def channels(self) -> list[Channel]:
        """Every channel of this Asterisk, also those of others."""
        return msgspec.json.decode(await self._request("GET", "/channels"), type=list[Channel])

    async def bridges(self) -> list[Bridge]:
        """Every bridge of this Asterisk, also those of others."""
        return msgspec.json.decode(await self._request("GET", "/bridges"), type=list[Bridge])

    async def endpoint_state(self, name: str) -> str:
        """Of a PJSIP endpoint: "online", "offline" or "unknown"."""
        return msgspec.json.decode(await self._request("GET", f"/endpoints/PJSIP/{name}"), type=Endpoint).state

    async def originate(
        self, channel: str, endpoint: str, caller_id: str, timeout_s: int, variables: Mapping[str, str]
    ) -> None:
        """Call `endpoint` for at most `timeout_s`; it enters Stasis when it answers."""
        query = {"channelId": channel, "endpoint": endpoint, "app": self.application, "appArgs": "leg"}
        query |= {"callerId": caller_id, "timeout": str(timeout_s)}
        await self._request("POST", "/channels", query, {"variables": dict(variables)})

    async def external_media(self, channel: str, host: str, variables: Mapping[str, str]) -> Channel:
        """A channel that exchanges 16 kHz audio with the UDP address `host`; it enters Stasis at once."""
        query = {"channelId": channel, "app": self.application, "external_host": host, "format": "slin16"}
        answer = await self._request("POST", "/channels/externalMedia", query, {"variables": dict(variables)})
        return msgspec.json.decode(answer, type=Channel)

    async def snoop(self, target: str, channel: str) -> None:
        """A channel that hears what comes from `target`; it enters Stasis at once and ends with its target."""
        query = {"spy": "in", "app": self.application, "appArgs": "snoop"}
        await self._request("POST", f"/channels/{target}/snoop/{channel}", query)

    async def subscribe(self, channel: str) -> None:
        """Have the channel's events also when it is not in Stasis."""
        await self._request(
            "POST", f"/applications/{self.application}/subscription", {"eventSource": f"channel:{channel}"}
        )

    async def variable(self, channel: str, name: str) -> str:
        """The value of a channel variable, or of a function of the dialplan."""
        return msgspec.json.decode(
            await self._request("GET", f"/channels/{channel}/variable", {"variable": name}), type=_Value
        ).value

    async def set_variable(self, channel: str, name: str, value: str) -> None:
        """Set a channel variable."""
        await self._request("POST", f"/channels/{channel}/variable", {"variable": name, "value": value})

    async def ring(self, channel: str) -> None:
        """Let the caller hear that the other side rings."""
        await self._request("POST", f"/channels/{channel}/ring")

    async def answer(self, channel: str) -> None:
        """Answer the caller."""
        await self._request("POST", f"/channels/{channel}/answer")

    async def play(self, channel: str, playback: str, files: Sequence[str]) -> None:
        """Play files of the machine that Asterisk runs on, named without their suffix, or "recording:NAME".

        PlaybackFinished comes when all have been played, or it was stopped.
        """
        media = ",".join(file if file.startswith(STORED) else f"sound:{file}" for file in files)
        await self._request("POST", f"/channels/{channel}/play/{playback}", {"media": media})

    async def stop_playing(self, playback: str) -> None:
        """If it is still played."""
        await self._gone(f"/playbacks/{playback}", {})

    async def record(self, channel: str, name: str, longest_s: int, silence_s: int) -> None:
        """Record what comes from a channel, at 16 kHz, until so much silence, "#", or so long at most.

        RecordingFinished or RecordingFailed comes then.
        """
        query = {"name": name, "format": "wav16", "maxDurationSeconds": str(longest_s), "ifExists": "overwrite"}
        query |= {"maxSilenceSeconds": str(silence_s), "beep": "false", "terminateOn": "#"}
        await self._request("POST", f"/channels/{channel}/record", query)

    async def recordings(self) -> list[StoredRecording]:
        """Every recording that Asterisk keeps, also those of others."""
        try:
            return msgspec.json.decode(await self._request("GET", "/recordings/stored"), type=list[StoredRecording])
        except RefusedError:  # 500: its folder is made with the first recording
            return []

    async def recording(self, name: str) -> bytes:
        """The file of a recording."""
        return await self._request("GET", f"/recordings/stored/{name}/file")

    async def delete_recording(self, name: str) -> None:
        """If it is there."""
        await self._gone(f"/recordings/stored/{name}", {})

    async def leave_for(self, channel: str, context: str, extension: str, label: str = "") -> None:
        """Send a channel out of Stasis into the dialplan."""
        query = {"context": context, "extension": extension} | ({"label": label} if label else {"priority": "1"})
        await self._request("POST", f"/channels/{channel}/continue", query)

    async def run(self, channel: str, context: str, extension: str, variables: Mapping[str, str]) -> None:
        """Let the dialplan run `extension` on a channel of no use otherwise, which is gone when it has run."""
        query = {"channelId": channel, "otherChannelId": f"{channel}-2", "endpoint": f"Local/{extension}@{context}/n"}
        query |= {"app": self.application, "appArgs": "none"}
        await self._request("POST", "/channels", query, {"variables": dict(variables)})

    async def hang_up(self, channel: str, cause: int) -> None:
        """End a channel, with a Q.850 cause; one that has ended already is none to complain about."""
        await self._gone("/channels/" + channel, {"reason_code": str(cause)})

    async def make_bridge(self, bridge: str, channels: tuple[str, ...]) -> None:
        """A mixing bridge of channels that are in Stasis."""
        await self._request("POST", f"/bridges/{bridge}", {"type": "mixing", "name": self.application})
        await self._request("POST", f"/bridges/{bridge}/addChannel", {"channel": ",".join(channels)})

    async def delete_bridge(self, bridge: str) -> None:
        """Delete a bridge, if it is still there."""
        await self._gone(f"/bridges/{bridge}", {})

    async def _gone(self, path: str, query: Mapping[str, str]) -> None:
        try:
            await self._request("DELETE", path, query)
        except NotFoundError:
            return

    def _open(self) -> aiohttp.ClientSession:
        assert self._session is not None, "used outside its context"
        return self._session

    async def _request(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> bytes:
        """The body of the answer. Raises AriError."""
        try:
            async with self._open().request(method, self._url + path, params=query, json=body) as answer:
                text = await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise UnreachableError(_sentence(f"{method} {path}", error)) from error
        if answer.status < 400:
            return text
        kind = KINDS.get(answer.status, RefusedError)
        raise kind(f"{method} {path}: Asterisk answers {answer.status} {_reason(text)}")


def _event(text: str) -> Event | None:
    """None: of a kind that we do not use, with other fields under the names that we do."""
    try:
        return msgspec.json.decode(text, type=Event)
    except msgspec.ValidationError:
        return None


class _Value(msgspec.Struct):
    value: str = ""


class _Refusal(msgspec.Struct):
    message: str = ""


def _reason(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Refusal).message
    except msgspec.DecodeError:
        return body[:200].decode(errors="replace")


def _sentence(what: str, error: BaseException) -> str:
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return f"{what}: Asterisk refuses with {error.status}; compare asterisk.ari_user and ari_password with ari.conf"
    return f"{what}: {str(error) or 'no answer in time'}"
