"""Opens the TCP socket of the operators' pages."""

import errno
import socket

from appliance.config import OpsConfig
from appliance.ops.errors import OpsError

REASONS = {
    errno.EADDRINUSE: "is used by another program; stop that one or choose another ops.port",
    errno.EADDRNOTAVAIL: "is not an address of this machine; correct ops.host",
    errno.EACCES: "needs more rights than this program has; choose an ops.port from 1024 on",
}


def listen(config: OpsConfig) -> socket.socket:
    """A socket that takes connections at the configured place. Raises OpsError."""
    place = f"cannot show metrics and events: TCP {config.host}:{config.port} (ops.host, ops.port)"
    try:
        return socket.create_server((config.host, config.port))
    except socket.gaierror:
        raise OpsError(f"{place} is not the address of a host; correct ops.host") from None
    except OSError as error:
        reason = REASONS.get(error.errno or 0, f"cannot be opened: {error.strerror}")
        raise OpsError(f"{place} {reason}") from None
