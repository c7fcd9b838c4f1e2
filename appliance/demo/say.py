"""What the two people of the demo say: anybody's WAV, or Asterisk's own recorded prompts and a spoken sentence."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from appliance.units import SAMPLE_RATE_HZ

LONGEST_S = 60.0
SHORTEST_S = 0.3
PEAK = 0.708  # -3 dBFS
SILENT_PEAK = 0.003  # -50 dBFS: nothing that a telephone would carry


class SayError(Exception):
    """A recording cannot be used; the message is one sentence with the file's name."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One person speaks: 16 kHz mono int16 samples."""

    language: str
    name: str
    samples: NDArray[np.int16]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLE_RATE_HZ


def parse_say(argument: str) -> tuple[str, Path]:
    """Split `LANGUAGE:FILE`. Raises SayError."""
    language, colon, path = argument.partition(":")
    if not colon or not language or not path:
        raise SayError(f'--say "{argument}": write LANGUAGE:FILE, for example en:hello.wav')
    return language.lower(), Path(path)


def load_turn(language: str, path: Path, longest_s: float = LONGEST_S) -> Turn:
    """Read a recording of any rate and channel count. Raises SayError where it is broken, empty, silent or endless."""
    if not path.is_file():
        raise SayError(f"{path}: there is no such file")
    try:
        with soundfile.SoundFile(path) as recording:
            if recording.frames > longest_s * recording.samplerate:
                raise SayError(f"{path}: longer than {longest_s:.0f} s; cut it into several --say")
            samples = recording.read(dtype="float32", always_2d=True).mean(axis=1)
            rate_hz = recording.samplerate
    except (soundfile.LibsndfileError, RuntimeError, ValueError) as error:
        raise SayError(f"{path}: not a recording that can be read; WAV, FLAC and Ogg can") from error
    if len(samples) < SHORTEST_S * rate_hz:
        raise SayError(f"{path}: empty, or shorter than {SHORTEST_S} s")
    if float(np.abs(samples).max()) < SILENT_PEAK:
        raise SayError(f"{path}: silent; record it again, louder")
    return Turn(language, path.name, to_telephone(samples, rate_hz))


def to_telephone(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.int16]:
    """Resample mono float samples (-1 … 1) to 16 kHz int16, peak at -3 dBFS, as a telephone's gain control would."""
    resampled: NDArray[np.float32] = soxr.resample(samples, rate_hz, SAMPLE_RATE_HZ)
    loudest = max(float(np.abs(resampled).max()), SILENT_PEAK)
    levelled: NDArray[np.int16] = (resampled * (PEAK * 32767 / loudest)).clip(-32768, 32767).astype(np.int16)
    return levelled
