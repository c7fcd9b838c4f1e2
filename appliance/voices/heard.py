"""What one leg has said lately: its speech without the silences, and its sound as it was. Pure; kept in memory only."""

import numpy as np

from appliance.units import SAMPLE_RATE_HZ
from appliance.voices.activity import HOP_MS, find_speech
from appliance.voices.arrays import Floats

SOUND_S = 8.0  # what the noise of a line is known from
SPEECH_S = 20.0
CHUNK_S = 1.0  # of sound that is judged at once
_HOP = SAMPLE_RATE_HZ * HOP_MS // 1000
_NOTHING = np.zeros(0, np.float32)


class Heard:
    """Sound at 16 kHz as it comes; `speech_s` counts all speech there ever was."""

    def __init__(self) -> None:
        self.speech_s = 0.0
        self._new: list[bytes] = []
        self._new_bytes = 0
        self._sound = _NOTHING
        self._speech = _NOTHING

    def feed(self, pcm: bytes) -> None:
        """16-bit samples, whole frames of 20 ms."""
        self._new.append(pcm)
        self._new_bytes += len(pcm)
        if self._new_bytes >= 2 * SAMPLE_RATE_HZ * CHUNK_S:
            self._judge()

    def speech(self, seconds: float) -> Floats:
        """The last `seconds` of speech, as far as there are so many."""
        return self._speech[-round(seconds * SAMPLE_RATE_HZ) :]

    def sound(self, seconds: float) -> Floats:
        """The last `seconds` of everything."""
        return self._sound[-round(seconds * SAMPLE_RATE_HZ) :]

    def _judge(self) -> None:
        new = np.frombuffer(b"".join(self._new), "<i2").astype(np.float32) / np.float32(32_768)
        self._new, self._new_bytes = [], 0
        self._sound = np.concatenate((self._sound, new))[-round(SOUND_S * SAMPLE_RATE_HZ) :]
        spoken = np.repeat(find_speech(self._sound, SAMPLE_RATE_HZ).speech[-(len(new) // _HOP) :], _HOP)
        speech = new[: len(spoken)][spoken]
        self.speech_s += len(speech) / SAMPLE_RATE_HZ
        self._speech = np.concatenate((self._speech, speech))[-round(SPEECH_S * SAMPLE_RATE_HZ) :]
