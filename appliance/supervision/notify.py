"""Tells a service manager how the appliance does: sd_notify(3), each time one datagram."""

import contextlib
import os
import socket

NS_PER_US = 1000


class Notify:
    """Sends to `address` ("" or a manager that has gone: nobody listens, nothing happens).

    address: NOTIFY_SOCKET, a path or "@" and an abstract name; others, as of virtual machines, are not for us.
    watchdog_us: WATCHDOG_USEC: the manager ends who is silent for so long; 0: it does not ask for signs of life.
    """

    def __init__(self, address: str, watchdog_us: int = 0) -> None:
        known = address.startswith(("/", "@"))
        self._address = address.replace("@", "\0", 1) if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) if known else None
        self._ping_every_ns = watchdog_us * NS_PER_US // 2  # sd_watchdog_enabled(3): half of it
        self._pinged_ns = 0
        self._status = ""

    def ready(self) -> None:
        """Everything runs, in this process."""
        self._send(f"READY=1\nMAINPID={os.getpid()}")

    def stopping(self) -> None:
        """We are about to end."""
        self._send("STOPPING=1")

    def status(self, sentence: str) -> None:
        """How we do, for who asks `systemctl status`; sent when it has changed."""
        if sentence != self._status:
            self._status = sentence
            self._send(f"STATUS={sentence}")

    def alive(self, now_ns: int) -> None:
        """A sign of life, as often as the manager wants one; call it at every turn."""
        if self._ping_every_ns and now_ns - self._pinged_ns >= self._ping_every_ns:
            self._pinged_ns = now_ns
            self._send("WATCHDOG=1")

    def close(self) -> None:
        """Send no more."""
        if self._socket:
            self._socket.close()

    def _send(self, state: str) -> None:
        if self._socket:
            with contextlib.suppress(OSError):
                self._socket.sendto(state.encode(), self._address)
