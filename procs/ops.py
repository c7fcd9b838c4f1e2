"""ops: shows operators what goes on. Calls need nothing of it, and it never touches them."""

import asyncio
import os
import socket

import uvicorn

from appliance.ops.http_api import LOOK_S, application
from appliance.ops.listener import listen
from appliance.ops.observer import Observer
from appliance.ops.voices.api import VoicesApi
from appliance.supervision.context import Context

LESS_URGENT = 10  # nice(2): whoever carries speech comes first
CLOSING_S = 2
CONNECTIONS = 64


def main(ctx: Context) -> None:
    """Look at the appliance, and answer those who ask about it."""
    os.nice(LESS_URGENT)
    with listen(ctx.config.ops) as listener:
        asyncio.run(_serve(ctx, listener))


async def _serve(ctx: Context, listener: socket.socket) -> None:
    config = ctx.config
    trunks = [trunk.name for trunk in config.trunks]
    observer = Observer(ctx.memory, config.cache_dir, config.engines, trunks)
    voices = VoicesApi(config)
    app = application(observer, voices, lambda: server.should_exit)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=CLOSING_S,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))  # ends itself on SIGTERM
    ctx.ready()
    while not serving.done():
        ctx.beat()
        observer.look()
        server.should_exit |= ctx.stopping
        await asyncio.wait([serving], timeout=LOOK_S)
    await voices.close()
    serving.result()
