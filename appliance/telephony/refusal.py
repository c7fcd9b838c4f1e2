"""A refusal that says when to try again: SIP 503 with Retry-After, which Asterisk itself cannot write.

Asterisk 22 puts a header of ours into requests and into nothing else: `PJSIP_HEADER(add)` changes no response, and its
`maintenance` mode, the only thing in it that writes Retry-After, would turn emergency calls away as well. So the answer
goes out from here, a moment before Asterisk's own: RFC 3261 section 17.1.3 has the caller match it by branch and
method, not by port. Who does not take it, or called over TCP, gets Asterisk's 503 without the header.
"""

import asyncio
import re
import secrets
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress

from appliance.telephony.ari import Ari, AriError
from appliance.telephony.causes import CONGESTION

COPIED = ("From", "To", "Call-ID", "CSeq")  # RFC 3261 section 8.2.6.2; and all Via
MOST_VIAS = 8
_ADDRESS = re.compile(r"(?P<host>[0-9.]+):(?P<port>[0-9]+)")


def refusal(vias: Sequence[str], copied: Mapping[str, str], tag: str, retry_s: int) -> bytes:
    """A final answer to an INVITE with these headers; `tag` makes it an answer of ours."""
    lines = ["SIP/2.0 503 Service Unavailable", *(f"Via: {via}" for via in vias)]
    lines += [f"{name}: {copied[name]}{f';tag={tag}' if name == 'To' else ''}" for name in COPIED]
    lines += [f"Retry-After: {retry_s}", "Reason: Q.850;cause=34", "Content-Length: 0", "", ""]
    return "\r\n".join(lines).encode()


def can_be_sent(vias: Sequence[str], copied: Mapping[str, str]) -> bool:
    """Whether the INVITE came over UDP, with everything that an answer takes."""
    return bool(vias) and vias[0].upper().startswith("SIP/2.0/UDP") and all(copied.get(name) for name in COPIED)


async def refuse(ari: Ari, channel: str, retry_s: int) -> None:
    """End a call that has no place now. Raises AriError."""
    with suppress(AriError):  # the caller has hung up, or this Asterisk lacks a module: its own answer has to do
        await _answer(ari, channel, retry_s)
    await ari.hang_up(channel, CONGESTION)


async def _answer(ari: Ari, channel: str, retry_s: int) -> None:
    count = len((await ari.variable(channel, "PJSIP_HEADERS(Via)")).split(","))
    names = [f"PJSIP_HEADER(read,Via,{number})" for number in range(1, min(count, MOST_VIAS) + 1)]
    names += [f"PJSIP_HEADER(read,{name})" for name in COPIED]
    names += ["CHANNEL(pjsip,local_addr)", "CHANNEL(pjsip,remote_addr)"]
    values = await asyncio.gather(*(ari.variable(channel, name) for name in names))
    *headers, local, remote = values
    vias, copied = headers[: -len(COPIED)], dict(zip(COPIED, headers[-len(COPIED) :], strict=True))
    if can_be_sent(vias, copied):
        send(refusal(vias, copied, secrets.token_hex(4), retry_s), local.rpartition(":")[0], remote)


def send(answer: bytes, from_host: str, to: str) -> bool:
    """Send it to `to` ("HOST:PORT", IPv4), from the address that was called; returns whether that was possible."""
    address = _ADDRESS.fullmatch(to)
    if not address:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.setblocking(False)
        try:
            out.bind((from_host, 0))
            return out.sendto(answer, (address["host"], int(address["port"]))) == len(answer)
        except OSError:  # Asterisk's own answer has to do
            return False
