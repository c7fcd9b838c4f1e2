"""ops: shows operators what goes on. Calls need nothing of it, and it never touches them."""

import asyncio
import os
import socket
from contextlib import ExitStack

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from appliance.ops.directions import directions
from appliance.ops.door import Door, Way
from appliance.ops.http_api import LOOK_S, application
from appliance.ops.listener import listen
from appliance.ops.observer import Observer
from appliance.ops.page_tls import PageTls
from appliance.ops.voices.api import VoicesApi
from appliance.supervision.context import Context
from appliance.tls.certificate import utc_now

LESS_URGENT = 10  # nice(2): whoever carries speech comes first
CLOSING_S = 2
CONNECTIONS = 64


def main(ctx: Context) -> None:
    """Look at the appliance, and answer those who ask about it."""
    os.nice(LESS_URGENT)
    with ExitStack() as opened:
        listeners = [opened.enter_context(each) for each in listen(ctx.config.ops)]
        asyncio.run(_serve(ctx, listeners))


async def _serve(ctx: Context, listeners: list[socket.socket]) -> None:
    config = ctx.config
    trunks = [trunk.name for trunk in config.trunks]
    observer = Observer(ctx.memory, config.cache_dir, config.engines, trunks)
    voices, tls = VoicesApi(config), PageTls(config.ops, ctx.log)
    app = application(observer, voices, lambda: server.should_exit)
    served = {way: _settings(app) for way in (Way.TLS, Way.HOME)}
    served[Way.ELSEWHERE] = _settings(directions(app, lambda: "" if tls.context else tls.problem))
    server = uvicorn.Server(served[Way.HOME])
    door = Door(listeners, lambda way: H11Protocol(served[way], server.server_state, {}), lambda: tls.context)
    tls.look(utc_now())
    serving = asyncio.create_task(server.serve(sockets=[]))  # ends itself on SIGTERM
    welcoming = asyncio.create_task(door.welcome())
    ctx.ready()
    while not serving.done() and not welcoming.done():
        ctx.beat()
        observer.look()
        tls.look(utc_now())
        observer.certificates = tls.standings()
        server.should_exit |= ctx.stopping
        await asyncio.wait([serving, welcoming], timeout=LOOK_S)
    await voices.close()
    for task in (serving, welcoming):
        if task.done():
            task.result()
    welcoming.cancel()


def _settings(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=CLOSING_S,
    )
