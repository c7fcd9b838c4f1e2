"""Several frames heard at once."""

from collections.abc import Sequence

import numpy as np

_INT16 = np.dtype("<i2")


def mix(frames: Sequence[bytes]) -> bytes:
    """The sum of frames of equal length; what exceeds 16 bits saturates. Raises ValueError without frames."""
    if len(frames) == 1:
        return frames[0]
    if not frames:
        raise ValueError("there is nothing to mix")
    total = np.frombuffer(frames[0], _INT16).astype(np.int32)
    for frame in frames[1:]:
        total += np.frombuffer(frame, _INT16)
    return total.clip(-32768, 32767).astype(_INT16).tobytes()
