"""An HTTP server on a free loopback port, in a thread of its own, which can go away and come back."""

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

from aiohttp import web


class LocalServer:
    """Subclasses add their routes. Leaving and coming back keeps the port."""

    def __init__(self) -> None:
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner: web.AppRunner | None = None

    def routes(self) -> list[web.RouteDef]:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        self.arrive()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.leave()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def arrive(self) -> None:
        self.run(self._arrive())

    def leave(self) -> None:
        """Stop listening, and hang up on everyone."""
        self.run(self._leave())

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _arrive(self) -> None:
        await self._leave()
        application = web.Application()
        application.add_routes(self.routes())
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _leave(self) -> None:
        if self._runner:
            await self._runner.cleanup()
            self._runner = None
