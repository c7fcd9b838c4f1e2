"""Deepgram's two streaming protocols, Nova (v1/listen) and Flux (v2/listen), made alike."""

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from deepgram import AsyncDeepgramClient

from appliance.engines.languages import RECOGNIZED, bcp47, best_match
from appliance.engines.protocols import AUTO
from appliance.engines.utterance import Heard, HeardWord
from appliance.units import SAMPLE_RATE_HZ

UTTERANCE_END_MS = 1000  # the least that Deepgram takes
FLUX_SILENCE_S = 1.0  # a word may have begun so long before Flux says anything about it


class UnknownMessageError(Exception):
    """The SDK or we do not know this message; a newer server may send such, and they are to be ignored."""


class ServerError(Exception):
    """The server has told us that this connection is of no use any more."""


class Dialect(Protocol):
    """How to talk with one kind of model. `socket` is the SDK's, which has no common type for both."""

    languages: frozenset[str]
    chunk_s: float  # how much audio to send at once
    keeps_alive_with_silence: bool

    def connect(
        self, client: AsyncDeepgramClient, model: str, language: str, endpoint_ms: int
    ) -> AbstractAsyncContextManager[Any]:
        """Open a connection that is sent 16 kHz PCM."""

    async def keep_alive(self, socket: Any) -> None:
        """Tell the server that the stream goes on although there is no audio."""

    async def end_utterance(self, socket: Any) -> None:
        """Have the server finish with the audio that it has."""

    def read(self, message: Any) -> Heard | None:
        """What `message` says about speech; None if nothing. Raises UnknownMessageError, ServerError."""


class Nova:
    """`v1/listen`: results for consecutive stretches of audio, each revised until it is final.

    A stretch that is final with `speech_final` ends the utterance; so does UtteranceEnd, which comes after a gap
    between words even where noise hides the pause from the endpointing.
    """

    languages = RECOGNIZED["deepgram-nova"]
    chunk_s = 0.04
    keeps_alive_with_silence = False

    def connect(
        self, client: AsyncDeepgramClient, model: str, language: str, endpoint_ms: int
    ) -> AbstractAsyncContextManager[Any]:
        connection: AbstractAsyncContextManager[Any] = client.listen.v1.connect(
            model=model,
            language="multi" if language == AUTO else bcp47(best_match(self.languages, language)),
            encoding="linear16",
            sample_rate=SAMPLE_RATE_HZ,
            channels=1,
            interim_results="true",
            punctuate="true",
            numerals="true",  # not smart_format, which holds results back for up to 3 s
            endpointing=endpoint_ms,
            utterance_end_ms=UTTERANCE_END_MS,
            mip_opt_out="true",  # calls are not training data
        )
        return connection

    async def keep_alive(self, socket: Any) -> None:
        await socket.send_keep_alive()

    async def end_utterance(self, socket: Any) -> None:
        await socket.send_finalize()

    def read(self, message: Any) -> Heard | None:
        match getattr(message, "type", None):
            case "Results":
                return self._results(message)
            case "UtteranceEnd":
                return Heard(final=True, ends=True)
            case "Error":
                raise ServerError(message.description)
            case "Metadata" | "SpeechStarted":
                return None
        raise UnknownMessageError

    def _results(self, message: Any) -> Heard:
        if not message.channel or not message.channel.alternatives or message.start is None:
            raise UnknownMessageError
        best = message.channel.alternatives[0]
        words = tuple(
            HeardWord(word.punctuated_word or word.word, word.start, word.end, word.confidence) for word in best.words
        )
        final = bool(message.is_final)
        return Heard(
            words,
            final,
            ends=final and bool(message.speech_final or message.from_finalize),
            settled_s=message.start + message.duration if final else None,
            language=(best.languages or [""])[0].lower(),
        )


class Flux:
    """`v2/listen`: turns, each message with the whole turn so far; nothing in it is final before EndOfTurn."""

    languages = RECOGNIZED["deepgram-flux"]
    chunk_s = 0.08  # what Deepgram recommends for Flux
    keeps_alive_with_silence = True  # it has no message for it

    def connect(
        self, client: AsyncDeepgramClient, model: str, language: str, endpoint_ms: int
    ) -> AbstractAsyncContextManager[Any]:
        del endpoint_ms  # Flux judges the end of a turn by what was said, not by the pause
        hints = [] if language == AUTO else [bcp47(best_match(self.languages, language))]
        connection: AbstractAsyncContextManager[Any] = client.listen.v2.connect(
            model=model,
            encoding="linear16",
            sample_rate=SAMPLE_RATE_HZ,
            language_hint=hints if model.endswith("-multi") and hints else None,
            mip_opt_out="true",
        )
        return connection

    async def keep_alive(self, socket: Any) -> None:
        """Nothing: silence is sent instead."""

    async def end_utterance(self, socket: Any) -> None:
        await socket.send_force_end_turn()

    def read(self, message: Any) -> Heard | None:
        match getattr(message, "type", None):
            case "TurnInfo":
                return self._turn(message)
            case "Error":
                raise ServerError(message.description)
            case "Connected" | "Warning" | "ConfigureSuccess" | "ConfigureFailure":
                return None
        raise UnknownMessageError

    def _turn(self, message: Any) -> Heard:
        start_s, end_s = message.audio_window_start, message.audio_window_end
        if message.words is None or start_s is None or end_s is None:
            raise UnknownMessageError
        words = tuple(
            HeardWord(
                word.word,
                start_s if word.start is None else word.start,
                end_s if word.end is None else word.end,
                word.confidence,
            )
            for word in message.words
        )
        ends = message.event == "EndOfTurn"
        silent_until_s = None if words else max(0.0, end_s - FLUX_SILENCE_S)
        return Heard(
            words,
            final=ends,
            ends=ends,
            settled_s=end_s if ends else silent_until_s,
            language=(message.languages or [""])[0].lower(),
        )
