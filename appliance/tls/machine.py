"""The names and addresses that a certificate of this machine is for."""

import socket
from dataclasses import dataclass
from ipaddress import ip_address

import psutil

from appliance.config import OpsConfig
from appliance.tls.names import ANY_HOST, is_name, outward_address

HERE = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class BoxNames:
    """What a certificate of this machine has to be for, and what it can be for as well (addresses come and go)."""

    needed: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()


def names_of_this_machine(ops: OpsConfig) -> BoxNames:
    """Those that the configuration says, those that the system has, and this machine as seen by itself."""
    said = {*ops.names, ops.host, socket.gethostname(), *outward_address()} - {*ANY_HOST}
    needed = HERE | {name for name in said if is_name(name)}
    addresses = {one.address for each in psutil.net_if_addrs().values() for one in each if is_name(one.address)}
    return BoxNames(needed, frozenset(name for name in addresses if _is_address(name)) - needed)


def _is_address(text: str) -> bool:
    """Not a card's number (MAC), nor an address that is good within one cable only."""
    try:
        return not ip_address(text).is_link_local
    except ValueError:
        return False
