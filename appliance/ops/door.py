"""The door of the page: one port for TLS and plain text, told apart by the first byte that a visitor sends."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial

from appliance.tls.names import is_here

HANDSHAKE = 0x16  # the first byte of TLS, RFC 8446 section 5.1; no method of HTTP begins so
ARRIVAL_S = 10.0  # to send that byte, and to agree on keys
MOST_ARRIVING = 64
PAUSE_S = 0.1


class Way(Enum):
    """How a visitor goes on."""

    TLS = "over TLS"
    HOME = "plain text from this machine itself"
    ELSEWHERE = "plain text over a network"


def way_for(first: int, address: str) -> Way:
    """What the first byte of a visitor from `address` leads to."""
    if first == HANDSHAKE:
        return Way.TLS
    return Way.HOME if is_here(address) else Way.ELSEWHERE


class Door:
    """`entrance` makes the protocol for each way; `context`: of TLS, None while there is no certificate."""

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        entrance: Callable[[Way], asyncio.Protocol],
        context: Callable[[], ssl.SSLContext | None],
    ) -> None:
        self._listeners = listeners
        self._entrance = entrance
        self._context = context
        self._arriving: set[asyncio.Task[None]] = set()

    async def welcome(self) -> None:
        """Let visitors in, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for listener in self._listeners:
                listener.setblocking(False)
                tasks.create_task(self._listen(listener))

    async def _listen(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(listener)
            except OSError:  # gone again, or there is no descriptor left for it
                await asyncio.sleep(PAUSE_S)
                continue
            if len(self._arriving) >= MOST_ARRIVING:
                connection.close()
                continue
            task = asyncio.create_task(self._admit(connection, str(address[0])))
            self._arriving.add(task)
            task.add_done_callback(self._arriving.discard)

    async def _admit(self, connection: socket.socket, address: str) -> None:
        try:
            async with asyncio.timeout(ARRIVAL_S):
                way = way_for(await _first_byte(connection), address)
        except OSError:  # gone, or silent: TimeoutError is one
            connection.close()
            return
        context = self._context() if way is Way.TLS else None
        if way is Way.TLS and context is None:
            connection.close()
            return
        try:
            async with asyncio.timeout(ARRIVAL_S):
                await asyncio.get_running_loop().connect_accepted_socket(
                    partial(self._entrance, way), connection, ssl=context
                )
        except OSError:  # does not trust the certificate, speaks no TLS, is gone: asyncio closes its connection
            return


async def _first_byte(connection: socket.socket) -> int:
    """It stays where it is. Raises OSError when the visitor leaves instead."""
    loop, sent = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(connection, sent.set)
    try:
        await sent.wait()
    finally:
        loop.remove_reader(connection)
    if not (first := connection.recv(1, socket.MSG_PEEK)):
        raise ConnectionResetError
    return first[0]
