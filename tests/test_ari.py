"""The ARI client: against a small fake of the documented protocol for the faults, and the real Asterisk once."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import encode_basic_auth, web

from appliance.config import AsteriskConfig, Config
from appliance.demo.asterisk import PrivateAsterisk, asterisk_tree, with_free_ports
from appliance.demo.child import free_ports
from appliance.telephony import ari as ari_module
from appliance.telephony.ari import (
    RETRY_MS,
    Ari,
    AriError,
    Link,
    NotFoundError,
    RefusedError,
    UnreachableError,
    WrongStateError,
    retry_after_ms,
)
from appliance.telephony.ari_messages import Event

PASSWORD = "secret"


class FakeAsterisk:
    """Answers /ari as `answers` says (status and body by "METHOD /path"), and streams events to whoever listens."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers: dict[str, tuple[int, object]] = {"GET /ari/channels": (200, []), "GET /ari/bridges": (200, [])}
        self.requests: list[tuple[str, dict[str, str], object]] = []
        self.is_mute = False
        self.streams: list[web.WebSocketResponse] = []
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        application = web.Application()
        application.router.add_get("/ari/events", self._events)
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        if self._runner:
            await asyncio.gather(*(stream.close() for stream in self.streams))
            self.streams.clear()
            await self._runner.cleanup()
            self._runner = None

    async def send(self, event: dict[str, object]) -> None:
        await self.streams[-1].send_json(event)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if request.headers["Authorization"] != encode_basic_auth("dragoman", PASSWORD):
            return web.json_response({"message": "Authentication required"}, status=401)
        stream = web.WebSocketResponse()
        await stream.prepare(request)
        self.streams.append(stream)
        async for _ in stream:
            pass
        return stream

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.requests.append((f"{request.method} {request.path}", dict(request.query), body))
        if self.is_mute:
            await asyncio.sleep(60)
        status, answer = self.answers.get(f"{request.method} {request.path}", (204, None))
        return web.Response(status=status, body=json.dumps(answer) if answer is not None else b"")


class Listener:
    """What `listen` has called back."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.links: list[Link] = []
        self.sentences: list[str] = []
        self.resyncs = 0

    async def resync(self) -> None:
        self.resyncs += 1

    def on_link(self, link: Link, sentence: str) -> None:
        self.links.append(link)
        self.sentences.append(sentence)

    @asynccontextmanager
    async def following(self, ari: Ari, resync: Callable[[], Awaitable[None]] | None = None) -> AsyncIterator[None]:
        task = asyncio.create_task(ari.listen(self.events.append, resync or self.resync, self.on_link))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def fake_and_client(password: str = PASSWORD) -> AsyncIterator[tuple[FakeAsterisk, Ari]]:
    fake = FakeAsterisk(free_ports(1)[0])
    await fake.start()
    try:
        async with Ari(AsteriskConfig(ari_url=f"http://127.0.0.1:{fake.port}", ari_password=password)) as ari:
            yield fake, ari
    finally:
        await fake.stop()


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ari_module, "RETRY_MS", (10, 20, 30))


def test_retries_come_after_200_400_and_then_every_800_ms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ari_module, "RETRY_MS", RETRY_MS)
    assert [retry_after_ms(waits) for waits in range(5)] == [200, 400, 800, 800, 800]


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, NotFoundError), (409, WrongStateError), (412, WrongStateError), (400, RefusedError), (500, RefusedError)],
)
def test_each_refusal_has_its_type_and_asterisks_reason(status: int, error: type[AriError]) -> None:
    async def story() -> None:
        async with fake_and_client() as (fake, ari):
            fake.answers["POST /ari/channels/c1/ring"] = status, {"message": "because"}
            with pytest.raises(error, match=f"{status} because") as refused:
                await ari.ring("c1")
            assert type(refused.value) is error

    asyncio.run(story())


def test_hanging_up_what_is_gone_already_is_no_error() -> None:
    async def story() -> None:
        async with fake_and_client() as (fake, ari):
            fake.answers["DELETE /ari/channels/c1"] = 404, {"message": "Channel not found"}
            await ari.hang_up("c1", 17)
            assert fake.requests[-1][:2] == ("DELETE /ari/channels/c1", {"reason_code": "17"})

    asyncio.run(story())


def test_asterisk_that_does_not_answer_or_is_not_there_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ari_module, "REQUEST_S", 0.1)

    async def story() -> None:
        async with fake_and_client() as (fake, ari):
            fake.is_mute = True
            with pytest.raises(UnreachableError, match="no answer in time"):
                await ari.channels()
            await fake.stop()
            with pytest.raises(UnreachableError, match="GET /channels"):
                await ari.channels()

    asyncio.run(story())


def test_what_was_asked_for_is_on_the_wire() -> None:
    async def story() -> None:
        async with fake_and_client() as (fake, ari):
            fake.answers["POST /ari/channels/externalMedia"] = 200, {"id": "ear", "channelvars": {"A": "1"}}
            channel = await ari.external_media("ear", "127.0.0.1:40000", {"MARK": "m"})
            assert (channel.id, channel.channelvars) == ("ear", {"A": "1"})
            request, query, body = fake.requests[-1]
            assert request == "POST /ari/channels/externalMedia"
            assert query["external_host"] == "127.0.0.1:40000"
            assert query["format"] == "slin16"
            assert body == {"variables": {"MARK": "m"}}

    asyncio.run(story())


def test_events_come_in_order_and_unknown_ones_do_no_harm() -> None:
    async def story() -> None:
        async with fake_and_client() as (fake, ari):
            listener = Listener()
            async with listener.following(ari):
                await until(lambda: fake.streams)
                await fake.send({"type": "SomethingNew", "of": ["the", "future"]})
                await fake.send({"type": "SomethingElse", "cause": "a word, not a number"})
                await fake.send({"type": "StasisStart", "args": ["call", "100"], "channel": {"id": "c1"}})
                await fake.send({"type": "ChannelDestroyed", "cause": 17, "channel": {"id": "c1", "state": "Down"}})
                await until(lambda: len(listener.events) == 3)
            assert [event.type for event in listener.events] == ["SomethingNew", "StasisStart", "ChannelDestroyed"]
            assert listener.events[1].args == ("call", "100")
            assert listener.events[2].cause == 17

    asyncio.run(story())


def test_a_lost_stream_comes_back_and_is_resynced_before_its_events() -> None:
    async def story() -> None:
        async with fake_and_client() as (fake, ari):
            listener = Listener()
            async with listener.following(ari):
                await until(lambda: Link.UP in listener.links)
                await fake.stop()
                await until(lambda: Link.DEGRADED in listener.links)
                await fake.start()
                await until(lambda: listener.resyncs == 2)
                await until(lambda: listener.links[-1] is Link.UP)
                await fake.send({"type": "StasisStart"})
                await until(lambda: listener.events)
            assert listener.links == [Link.UP, Link.LOST, Link.DEGRADED, Link.UP]

    asyncio.run(story())


def test_a_resync_that_fails_is_a_connection_that_failed() -> None:
    async def story() -> None:
        async with fake_and_client() as (_, ari):
            listener = Listener()

            async def fails_twice() -> None:
                await listener.resync()
                if listener.resyncs < 3:
                    raise UnreachableError("gone again")

            async with listener.following(ari, fails_twice):
                await until(lambda: listener.links == [Link.UP])
            assert listener.resyncs == 3

    asyncio.run(story())


def test_a_wrong_password_says_where_to_look() -> None:
    async def story() -> None:
        async with fake_and_client(password="wrong") as (_, ari):
            listener = Listener()
            async with listener.following(ari):
                await until(lambda: Link.DEGRADED in listener.links)
            assert "ari_password" in listener.sentences[-1]

    asyncio.run(story())


@pytest.mark.call
def test_the_real_asterisk_speaks_as_the_fake_does(tmp_path: Path) -> None:
    config = with_free_ports(Config(asterisk=AsteriskConfig(ari_password=PASSWORD)))

    async def story() -> None:
        async with Ari(config.asterisk) as ari:
            listener = Listener()
            async with listener.following(ari):
                await until(lambda: Link.UP in listener.links)
                media = f"{config.media.host}:{config.media.port}"
                made = await ari.external_media("r1-ear0", media, {"DRAGOMAN": '{"a":"b, c"}'})
                assert int(made.channelvars["UNICASTRTP_LOCAL_PORT"]) >= config.asterisk.rtp_first_port
                await until(lambda: [event for event in listener.events if event.type == "StasisStart"])
                [channel] = await ari.channels()
                assert channel.channelvars["DRAGOMAN"] == '{"a":"b, c"}'
                await ari.make_bridge("r1-bridge0", ("r1-ear0",))
                [bridge] = await ari.bridges()
                assert (bridge.id, bridge.name, bridge.channels) == ("r1-bridge0", "dragoman", ("r1-ear0",))
                with pytest.raises(WrongStateError):
                    await ari.make_bridge("r1-bridge0", ("r1-ear0",))
                with pytest.raises(NotFoundError):
                    await ari.ring("nobody")
                with pytest.raises(RefusedError):
                    await ari.originate("r1-leg1", "PJSIP/nobody", '"A" <1>', 5, {})
                await ari.delete_bridge("r1-bridge0")
                await ari.hang_up("r1-ear0", 16)
                await until(lambda: [event for event in listener.events if event.type == "ChannelDestroyed"])
                assert await ari.channels() == []

    with PrivateAsterisk(asterisk_tree(config), tmp_path, config):
        asyncio.run(story())
