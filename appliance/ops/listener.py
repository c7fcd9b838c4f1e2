"""Opens the TCP sockets of the operators' pages."""

import errno
import socket

from appliance.config import OpsConfig
from appliance.ops.errors import OpsError
from appliance.tls.names import is_here

HERE = "127.0.0.1"  # where programs on this machine ask, whoever else may
HERE_INCLUDED = ("0.0.0.0", HERE)  # what a host's name can stand for

NO_HOST = "is not the address of a host; correct ops.host"
REASONS = {
    socket.EAI_NONAME: NO_HOST,
    socket.EAI_AGAIN: NO_HOST,
    errno.EADDRINUSE: "is used by another program; stop that one or choose another ops.port",
    errno.EADDRNOTAVAIL: "is not an address of this machine; correct ops.host",
    errno.EACCES: "needs more rights than this program has; choose an ops.port from 1024 on",
}


def listen(config: OpsConfig) -> list[socket.socket]:
    """Sockets that take connections at the configured place, and always on this machine itself. Raises OpsError."""
    first = _listen(config.host, config.port)
    address, port = first.getsockname()[:2]
    if is_here(config.host) or address in HERE_INCLUDED:
        return [first]
    try:
        return [first, _listen(HERE, port)]
    except OpsError:
        first.close()
        raise


def _listen(host: str, port: int) -> socket.socket:
    place = f"cannot show metrics and events: TCP {host}:{port} (ops.host, ops.port)"
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = REASONS.get(error.errno or 0, f"cannot be opened: {error.strerror}")
        raise OpsError(f"{place} {reason}") from None
