"""Which hosts are this machine itself, and under which address browsers elsewhere reach it."""

import re
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from appliance.config import OpsConfig

ANY_HOST = ("0.0.0.0", "::")
HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,62})(\.[a-z0-9]([a-z0-9-]{0,62}))*", re.IGNORECASE)
OUTSIDE = ("192.0.2.1", 9)  # of no network (RFC 5737); nothing is sent there


def is_here(host: str) -> bool:
    """Whether `host` is this machine as seen by itself: no browser elsewhere can mean it."""
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


def speaks_tls(ops: "OpsConfig") -> bool:
    """Whether the page can be asked for over TLS: always where somebody elsewhere can reach it."""
    return bool(ops.certificate_file) or not is_here(ops.host)


def page_address(ops: "OpsConfig") -> str:
    """Where a browser finds the page. A phone knows the box's address at least, if not its name."""
    host = ops.host
    if host in ANY_HOST:
        host = next(iter((*ops.names, *outward_address(), socket.gethostname())))
    return f"http{'s' * speaks_tls(ops)}://{f'[{host}]' if ':' in host else host}:{ops.port}/voices"


def is_name(text: str) -> bool:
    """Whether a certificate can be for it: a host's name or address."""
    try:
        ip_address(text)
    except ValueError:
        return bool(HOST_NAME.fullmatch(text))
    return True


def outward_address() -> set[str]:
    """The address that this machine speaks to other networks from; none where it has no way there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(OUTSIDE)
        except OSError:
            return set()
        return {str(probe.getsockname()[0])}
