"""RTP packets (RFC 3550): parsed with every field checked, and serialised."""

import enum
import struct
from typing import NamedTuple

_FIXED_HEADER = struct.Struct("!BBHII")
_EXTENSION_HEADER = struct.Struct("!HH")
_VERSION_2 = 0x80  # the only version there is, in the top two bits of the first byte

HEADER_BYTES = _FIXED_HEADER.size


class Garbage(enum.Enum):
    """Why a datagram is not a packet we can use. It is counted, never raised."""

    SHORT = "shorter than the fixed header"
    VERSION = "not RTP version 2"
    RTCP = "an RTCP packet on the RTP port"
    CSRC = "CSRC list longer than the datagram"
    EXTENSION = "header extension longer than the datagram"
    PADDING = "padding of no bytes or of more than there are"
    PAYLOAD_TYPE = "not the payload type of its stream"
    PAYLOAD_SIZE = "not one frame of payload"


class Extension(NamedTuple):
    """A header extension (RFC 3550 section 5.3.1); `data` is whole 32-bit words."""

    profile: int
    data: bytes


class Packet(NamedTuple):
    """One RTP packet; `timestamp` counts ticks of the payload type's clock. `payload` is without padding."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False
    csrcs: tuple[int, ...] = ()
    extension: Extension | None = None
    padding_bytes: int = 0


def parse(datagram: bytes) -> Packet | Garbage:
    """Read a datagram as RTP (RFC 3550 section 5.1), or say what is wrong with it."""
    if len(datagram) < HEADER_BYTES:
        return Garbage.SHORT
    first, second, sequence, timestamp, ssrc = _FIXED_HEADER.unpack_from(datagram)
    if first & 0xC0 != _VERSION_2:
        return Garbage.VERSION
    if 192 <= second <= 223:  # RTCP's packet types, which RFC 5761 section 4 keeps apart from RTP's
        return Garbage.RTCP
    plain = Packet(second & 0x7F, sequence, timestamp, ssrc, datagram[HEADER_BYTES:], marker=second >= 0x80)
    return plain if first == _VERSION_2 else _read_options(plain, first)


def serialise(packet: Packet) -> bytes:
    """The datagram of a packet. Raises struct.error or ValueError where a field is out of its range."""
    first = _VERSION_2 | bool(packet.padding_bytes) << 5 | (packet.extension is not None) << 4 | len(packet.csrcs)
    second = packet.marker << 7 | packet.payload_type
    header = _FIXED_HEADER.pack(first, second, packet.sequence, packet.timestamp, packet.ssrc)
    if first == _VERSION_2:
        return header + packet.payload
    return b"".join((header, _options(packet), packet.payload, _padding(packet.padding_bytes)))


def _read_options(plain: Packet, first: int) -> Packet | Garbage:
    """Take CSRC list, header extension and padding off the payload of `plain`, as the bits of `first` say."""
    body = plain.payload
    csrc_count = first & 0x0F
    if len(body) < 4 * csrc_count:
        return Garbage.CSRC
    csrcs = struct.unpack_from(f"!{csrc_count}I", body)
    body = body[4 * csrc_count :]
    extension = None
    if first & 0x10:
        extension = _read_extension(body)
        if extension is None:
            return Garbage.EXTENSION
        body = body[_EXTENSION_HEADER.size + len(extension.data) :]
    padding_bytes = 0
    if first & 0x20:
        padding_bytes = body[-1] if body else 0  # the count stands in the last byte and counts itself
        if not 0 < padding_bytes <= len(body):
            return Garbage.PADDING
        body = body[:-padding_bytes]
    return plain._replace(payload=body, csrcs=csrcs, extension=extension, padding_bytes=padding_bytes)


def _read_extension(body: bytes) -> Extension | None:
    if len(body) < _EXTENSION_HEADER.size:
        return None
    profile, words = _EXTENSION_HEADER.unpack_from(body)
    data = body[_EXTENSION_HEADER.size :][: 4 * words]
    return Extension(profile, data) if len(data) == 4 * words else None


def _options(packet: Packet) -> bytes:
    if len(packet.csrcs) > 15:
        raise ValueError("an RTP packet has room for 15 CSRCs")
    csrcs = struct.pack(f"!{len(packet.csrcs)}I", *packet.csrcs)
    if packet.extension is None:
        return csrcs
    profile, data = packet.extension
    if len(data) % 4:
        raise ValueError("an RTP header extension is made of whole 32-bit words")
    return csrcs + _EXTENSION_HEADER.pack(profile, len(data) // 4) + data


def _padding(count: int) -> bytes:
    return bytes(count - 1) + bytes((count,)) if count else b""
