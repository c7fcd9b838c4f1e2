from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

def mix(frames: Sequence[bytes], /) -> bytes: ...
def mix_softly(soft: bytes, gains: NDArray[np.float32], loud: bytes | None, /) -> bytes: ...
