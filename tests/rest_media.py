"""What the REST part is sent as sound: schemathesis reads this file by itself (SCHEMATHESIS_HOOKS)."""

import io

import numpy as np
import schemathesis.openapi
import soundfile
from hypothesis import strategies

RATE_HZ = 16_000


def hiss(container: str) -> bytes:
    """Half a second of it."""
    file = io.BytesIO()
    samples = np.random.default_rng(1).normal(scale=0.1, size=RATE_HZ // 2)
    soundfile.write(file, samples, RATE_HZ, format=container)
    return file.getvalue()


schemathesis.openapi.media_type("audio/wav", strategies.just(hiss("WAV")))
schemathesis.openapi.media_type("audio/flac", strategies.just(hiss("FLAC")))
