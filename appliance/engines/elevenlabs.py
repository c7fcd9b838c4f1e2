"""ElevenLabs as a Synthesizer, PCM over HTTP while it is being made: a fallback for a voice, off by default."""

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import cast

import httpx
import numpy as np
from elevenlabs import VoiceSettings
from elevenlabs.client import ElevenLabs as Client
from elevenlabs.core.api_error import ApiError
from elevenlabs.core.request_options import RequestOptions

from appliance.engines.languages import SPOKEN, best_match
from appliance.engines.protocols import ClauseSizes, EngineError, EngineRefused, EngineUnavailable, Samples, Speech
from appliance.engines.web_errors import error_for_status
from appliance.units import SAMPLE_RATE_HZ

KEY_VARIABLE = "DRAGOMAN_ELEVENLABS_KEY"
PIECE_BYTES = SAMPLE_RATE_HZ // 10 * 2  # 100 ms
SLOWEST, FASTEST = 0.7, 1.2  # what the API takes
FULL_SCALE = 32768
# To fill a chunk of some size, the SDK would wait without end for a server that drips.
AS_IT_COMES = cast(RequestOptions, {"chunk_size": None})


@dataclass(frozen=True, slots=True)
class ElevenLabsSettings:
    """Which voice and model, where, and how long to wait."""

    key: str
    voice: str  # its id
    model: str = "eleven_flash_v2_5"
    server: str = "https://api.elevenlabs.io"
    answer_ms: int = 2000  # longest wait for sound while the listener hears none


class ElevenLabs:
    """About 75 ms to the first sound, and the way there and back."""

    languages = SPOKEN["elevenlabs"]
    clause_sizes = ClauseSizes(first_chars=60, longest_chars=200)
    most_streams = 1

    def __init__(self, settings: ElevenLabsSettings) -> None:
        if not settings.key:
            raise EngineRefused(f"ElevenLabs needs an API key; set {KEY_VARIABLE} or cloud.elevenlabs.key_file")
        if not settings.voice:
            raise EngineRefused("ElevenLabs needs the id of a voice; write it as cloud.elevenlabs.voice")
        self._settings = settings
        self._answer_s = settings.answer_ms / 1000
        self._http = httpx.Client(timeout=self._answer_s)
        self._client = Client(  # its own timeout, of 240 s, goes before that of the HTTP client
            base_url=settings.server, api_key=settings.key, httpx_client=self._http, timeout=self._answer_s
        )

    def warm(self) -> None:
        """Nothing: it would cost, and the first call makes its own connection."""

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def synthesize(self, text: str, language: str, speed: float = 1.0) -> Iterator[Speech]:
        tag = best_match(self.languages, language)
        if not tag:
            raise EngineError(f'ElevenLabs does not speak "{language}"')
        if not text.strip():
            return
        try:
            yield from self._pieces(text, tag, min(max(speed, SLOWEST), FASTEST))
        except ApiError as error:  # never shown: it may repeat the callers' words
            raise error_for_status("ElevenLabs", error.status_code or 500, KEY_VARIABLE) from None
        except httpx.HTTPError as error:
            raise EngineUnavailable(f"ElevenLabs has broken off: {type(error).__name__}") from None

    def _pieces(self, text: str, tag: str, speed: float) -> Iterator[Speech]:
        sound = self._client.text_to_speech.stream(
            self._settings.voice,
            text=text,
            model_id=self._settings.model,
            language_code=tag,
            output_format=f"pcm_{SAMPLE_RATE_HZ}",
            voice_settings=VoiceSettings(speed=speed),
            request_options=AS_IT_COMES,
        )
        pcm = b""
        with closing(cast(Generator[bytes], sound)):
            for received in self._in_time(sound):
                pcm += received
                if len(pcm) >= PIECE_BYTES:
                    whole = len(pcm) // 2 * 2
                    yield _speech(pcm[:whole])
                    pcm = pcm[whole:]
        if len(pcm) >= 2:
            yield _speech(pcm[: len(pcm) // 2 * 2])

    def _in_time(self, sound: Iterator[bytes]) -> Iterator[bytes]:
        """What `sound` gives, as long as a listener would not run out of it. Raises EngineUnavailable.

        Only the time spent here is counted: the caller may take its own between two pieces.
        """
        waited_s, allowed_s = 0.0, self._answer_s
        while True:
            began = time.monotonic()
            received = next(sound, None)
            waited_s += time.monotonic() - began
            if received is None:
                return
            if waited_s > allowed_s:
                raise EngineUnavailable("ElevenLabs speaks slower than one listens")
            allowed_s += len(received) / 2 / SAMPLE_RATE_HZ
            yield received


def _speech(pcm: bytes) -> Speech:
    samples: Samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(FULL_SCALE)
    return Speech(samples, SAMPLE_RATE_HZ)
