"""The RTP stream out of one booth: packets only while there is something to say (RFC 3551 section 4.1)."""

import struct
from collections.abc import Callable

from appliance.media.codecs import PayloadType

_HEADER = struct.Struct("!BBHII")
_VERSION_2 = 0x80
_MARKER = 0x80


class TalkspurtStream:
    """Numbers and stamps packets of one frame each.

    The sequence number counts packets; the timestamp follows the 20 ms clock also over silence, and the marker tells
    the first packet after one. `sequence` and `timestamp` are where they begin: random, says RFC 3550 section 5.1.
    """

    def __init__(
        self, payload_type: PayloadType, encode: Callable[[bytes], bytes], ssrc: int, sequence: int, timestamp: int
    ) -> None:
        self._payload_type = payload_type
        self._encode = encode
        self._ssrc = ssrc
        self._sequence = sequence
        self._timestamp = timestamp
        self._last_tick: int | None = None

    def packet(self, frame: bytes, tick: int) -> bytes:
        """The packet that carries `frame` at this tick of the 20 ms clock."""
        opens = self._last_tick is None or tick != self._last_tick + 1
        header = _HEADER.pack(
            _VERSION_2,
            self._payload_type.number | (_MARKER if opens else 0),
            self._sequence & 0xFFFF,
            (self._timestamp + tick * self._payload_type.frame_ticks) & 0xFFFFFFFF,
            self._ssrc,
        )
        self._last_tick = tick
        self._sequence += 1
        return header + self._encode(frame)
