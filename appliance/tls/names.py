"""Under which names and addresses browsers reach this machine, and whether any of them is elsewhere."""

import re
import socket
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from appliance.config import OpsConfig

HERE = frozenset({"localhost", "127.0.0.1", "::1"})
ANY_HOST = ("0.0.0.0", "::")
HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,62})(\.[a-z0-9]([a-z0-9-]{0,62}))*", re.IGNORECASE)
OUTSIDE = ("192.0.2.1", 9)  # of no network (RFC 5737); nothing is sent there


@dataclass(frozen=True, slots=True)
class BoxNames:
    """What a certificate of this machine has to be for, and what it can be for as well (addresses come and go)."""

    needed: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()


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
        host = next(iter((*ops.names, *_outward_address(), socket.gethostname())))
    return f"http{'s' * speaks_tls(ops)}://{f'[{host}]' if ':' in host else host}:{ops.port}/voices"


def is_name(text: str) -> bool:
    """Whether a certificate can be for it: a host's name or address."""
    try:
        ip_address(text)
    except ValueError:
        return bool(HOST_NAME.fullmatch(text))
    return True


def names_of_this_machine(ops: "OpsConfig") -> BoxNames:
    """Those that the configuration says, those that the system has, and this machine as seen by itself."""
    said = {*ops.names, ops.host, socket.gethostname(), *_outward_address()} - {*ANY_HOST}
    needed = HERE | {name for name in said if is_name(name)}
    addresses = {one.address for each in psutil.net_if_addrs().values() for one in each if is_name(one.address)}
    return BoxNames(needed, frozenset(name for name in addresses if _is_address(name)) - needed)


def _is_address(text: str) -> bool:
    """Not a card's number (MAC), nor an address that is good within one cable only."""
    try:
        return not ip_address(text).is_link_local
    except ValueError:
        return False


def _outward_address() -> set[str]:
    """The address that this machine speaks to other networks from; none where it has no way there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(OUTSIDE)
        except OSError:
            return set()
        return {str(probe.getsockname()[0])}
