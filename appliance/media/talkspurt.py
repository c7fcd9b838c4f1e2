"""The RTP stream out of one booth: packets only while there is something to say (RFC 3551 section 4.1)."""

import struct
from collections.abc import Callable

from appliance.media.codecs import PayloadType
from appliance.units import FRAMES_PER_S

KEEPALIVE_TICKS = 60 * FRAMES_PER_S  # far less than the 32,768 after which a sequence number counts as one of the past

_HEADER = struct.Struct("!BBHII")
_VERSION_2 = 0x80
_MARKER = 0x80


class TalkspurtStream:
    """Numbers and stamps packets of one frame each, by the clock alone: another process can go on where this one ended.

    Timestamp and sequence number are those of the tick, which must be the same for all processes; the marker tells the
    first packet after silence. RFC 3550 section 5.1 wants the sequence number to count packets, so silence looks like
    loss to the receiver. But Asterisk, measured with 22, drops all that is behind the last packet of the channel, under
    a new SSRC as well, and a process that was restarted knows the time but not what has been sent before.
    """

    def __init__(self, payload_type: PayloadType, encode: Callable[[bytes], bytes], ssrc: int) -> None:
        self._number = payload_type.number
        self._frame_ticks = payload_type.frame_ticks
        self._encode = encode
        self._ssrc = ssrc
        self._last_tick: int | None = None
        self._quiet_ticks = 0

    def packet(self, frame: bytes, tick: int) -> bytes:
        """The packet that carries `frame` at this tick of the 20 ms clock."""
        opens = self._last_tick is None or tick != self._last_tick + 1
        header = _HEADER.pack(
            _VERSION_2,
            self._number | (_MARKER if opens else 0),
            tick & 0xFFFF,
            tick * self._frame_ticks & 0xFFFFFFFF,
            self._ssrc,
        )
        self._last_tick = tick
        self._quiet_ticks = 0
        return header + self._encode(frame)

    def keep_quiet(self) -> bool:
        """Let a tick pass without a packet; False: the receiver must be sent one, or it would lose count."""
        self._quiet_ticks += 1
        return self._quiet_ticks < KEEPALIVE_TICKS
