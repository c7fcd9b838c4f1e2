"""Codecs at the wire: which payload types are spoken with Asterisk, and frames to and from them."""

import array
import sys
from dataclasses import dataclass

import G722
import numpy as np
from numpy.typing import NDArray

from appliance.units import FRAME_SAMPLES

Samples = NDArray[np.float32]  # mono, in -1 … 1

_FULL_SCALE = 32768


@dataclass(frozen=True, slots=True)
class PayloadType:
    """A payload type on the wire: its number, its RTP clock, and what 20 ms of it weigh."""

    number: int
    clock_hz: int
    frame_ticks: int
    frame_bytes: int


# L16 is RFC 3551 section 4.5.11, at 16 kHz a dynamic type; Asterisk calls it slin16 and numbers it 118 without asking.
L16 = PayloadType(118, clock_hz=16_000, frame_ticks=FRAME_SAMPLES, frame_bytes=2 * FRAME_SAMPLES)

# These channels have no SDP, so Asterisk maps only static types back: 118 would be dropped without a word.
# G.722 samples at 16 kHz, its RTP clock is 8000 Hz all the same, a historical error: RFC 3551 section 4.5.2.
G722_64K = PayloadType(9, clock_hz=8_000, frame_ticks=160, frame_bytes=160)


def decode_l16(payload: bytes) -> bytes:
    """A frame from L16, big-endian on the wire (RFC 3551 section 4.5.11). Raises ValueError on half a sample."""
    samples = array.array("h", payload)
    if sys.byteorder == "little":
        samples.byteswap()
    return samples.tobytes()


class G722Encoder:
    """One stream of frames to G.722 at 64 kbit/s; it remembers the frames before, so one encoder serves one stream."""

    def __init__(self) -> None:
        self._codec = G722.G722(16_000, 64_000)

    def encode(self, frame: bytes) -> bytes:
        """A frame of 640 bytes to 160 bytes of G.722, in about 15 µs."""
        # Cast, because the codec would take a bytes object for a list of samples between 0 and 255.
        encoded: bytes = self._codec.encode(memoryview(frame).cast("h"))
        return encoded


def samples_of(pcm: bytes) -> Samples:
    """16-bit PCM as samples."""
    return np.frombuffer(pcm, np.dtype("<i2")).astype(np.float32) / np.float32(_FULL_SCALE)


def pcm_of(samples: Samples) -> bytes:
    """Samples as 16-bit PCM; what is louder than full scale is clipped."""
    scaled = np.rint(samples * np.float32(_FULL_SCALE)).clip(-_FULL_SCALE, _FULL_SCALE - 1)
    pcm: bytes = scaled.astype("<i2").tobytes()
    return pcm
