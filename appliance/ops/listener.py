"""Opens the TCP socket of the operators' pages."""

import errno
import socket

from appliance.config import OpsConfig
from appliance.ops.errors import OpsError

NO_HOST = "is not the address of a host; correct ops.host"
REASONS = {
    socket.EAI_NONAME: NO_HOST,
    socket.EAI_AGAIN: NO_HOST,
    errno.EADDRINUSE: "is used by another program; stop that one or choose another ops.port",
    errno.EADDRNOTAVAIL: "is not an address of this machine; correct ops.host",
    errno.EACCES: "needs more rights than this program has; choose an ops.port from 1024 on",
}


def listen(config: OpsConfig) -> socket.socket:
    """A socket that takes connections at the configured place. Raises OpsError."""
    place = f"cannot show metrics and events: TCP {config.host}:{config.port} (ops.host, ops.port)"
    try:
        family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
        return socket.create_server((config.host, config.port), family=family)
    except OSError as error:
        reason = REASONS.get(error.errno or 0, f"cannot be opened: {error.strerror}")
        raise OpsError(f"{place} {reason}") from None
