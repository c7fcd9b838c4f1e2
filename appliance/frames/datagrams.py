"""Datagrams of one UDP socket in batches: expected packets straight into their rings, the others for Python to judge.

A typed doorway to the C module `_datagrams`. A `StreamTable` knows some addresses by row. `hear(row, …)` takes packets
from an address into a ring, `ignore(row, …)` drops them unseen, `forget(row)` frees the row; packets from anywhere else
count as `strangers`. `receive(fd)` empties the socket and returns what needs a closer look, as (row, arrival_ns,
datagram) in order of arrival: every packet of a row from the first that is not the one announced with `expect(row,
ssrc, sequence, timestamp)`, until the next `expect`. `expected(row)` tells how far the packets taken have got.
`packets` counts those from rows that are heard, `frames` those of them that went straight into a ring.

`send(fd, packets)` sends (address, packet) pairs without blocking and returns how many the kernel took.

Addresses are numbers here: see `address_number`. Arrival is stamped by the kernel where `stamp_arrivals` was called,
otherwise when it was received; on CLOCK_MONOTONIC, in ns.
"""

import ipaddress
import os
import socket

from appliance.frames._datagrams import StreamTable, send

__all__ = ["StreamTable", "address_number", "send", "stamp_arrivals"]

_SO_TIMESTAMPNS = 35  # asm-generic/socket.h; Python's socket module does not name it


def address_number(host: str, port: int) -> int:
    """An IPv4 address and port as one number. Raises ValueError for a host that is not an IPv4 address."""
    return int(ipaddress.IPv4Address(host)) << 16 | port


def stamp_arrivals(fd: int) -> None:
    """Have the kernel stamp every datagram of this socket, so that arrival does not depend on when we look."""
    with socket.socket(fileno=os.dup(fd)) as media:
        media.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
