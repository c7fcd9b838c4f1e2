"""Tells a service manager how the appliance does: sd_notify(3), one datagram."""

import contextlib
import socket


class Notify:
    """Sends to `address` (NOTIFY_SOCKET; "" or a manager that has gone: nobody listens, nothing happens)."""

    def __init__(self, address: str) -> None:
        self._address = address.replace("@", "\0", 1) if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) if address else None

    def __call__(self, state: str) -> None:
        """Send one assignment: READY=1, WATCHDOG=1, STOPPING=1."""
        if self._socket:
            with contextlib.suppress(OSError):
                self._socket.sendto(state.encode(), self._address)

    def close(self) -> None:
        """Send no more."""
        if self._socket:
            self._socket.close()
