"""Legs turned into text: each utterance recognised while its speaker may still go on, and given out when it is over."""

from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter

from appliance.engines.protocols import EngineError, Recognizer, VoiceDetector
from appliance.engines.registry import for_language
from appliance.frames.messages import Segment
from appliance.frames.roster import Leg, Roster
from appliance.speech.endpointing import EndpointPolicy, Utterance
from appliance.stages.listening import Heard, Listener
from appliance.supervision.context import Context


@dataclass(frozen=True, slots=True)
class _Guess:
    """What an utterance says, if it is over."""

    utterance: Utterance
    text: str
    asr_ms: float


class Transcriber:
    """One leg during one call: its segments, from its uplink."""

    def __init__(self, context: Context, listener: Listener, recognizer: Recognizer) -> None:
        self.leg = listener.leg
        self._context = context
        self._listener = listener
        self._recognizer = recognizer
        self._guess: _Guess | None = None

    def segments(self) -> Iterator[Segment]:
        """The text of each utterance that is over now; nothing for sound that has no words in it."""
        dropped = self._listener.dropped_frames
        for heard in self._listener.hear():
            self._context.vitals.add("utterances")
            guess = self._recognized(heard)
            if guess.text:
                yield self._segment(heard, guess)
        self._context.vitals.add("dropped_frames", self._listener.dropped_frames - dropped)

    def settle(self) -> None:
        """The segments given out are safe with the next process: a restart need not recognise them again."""
        self._listener.settle()

    def look_ahead(self) -> None:
        """In a pause, recognise what has been said so far: it is ready when the pause turns out to be the end."""
        heard = self._listener.pause()
        if heard is not None:
            self._guess = self._recognized(heard)

    def close(self) -> None:
        """The call is over."""
        self._listener.close()

    def _recognized(self, heard: Heard) -> _Guess:
        if self._guess is not None and self._guess.utterance == heard.utterance:
            return self._guess
        began_s = perf_counter()
        try:
            with self._context.busy():
                text = self._recognizer.recognize(heard.samples, self.leg.language).text
        except EngineError as error:
            self._context.vitals.add("engine_errors")
            self._context.log.error(str(error))
            text = ""
        return _Guess(heard.utterance, text, 1000 * (perf_counter() - began_s))

    def _segment(self, heard: Heard, guess: _Guess) -> Segment:
        return Segment(
            leg=self.leg.place,
            call=self.leg.call,
            seq_num=heard.seq_num,
            revision=0,
            final=True,
            start_ns=heard.start_ns,
            end_ns=heard.end_ns,
            language=self.leg.language,
            text=guess.text,
            asr_ms=guess.asr_ms,
        )


class Transcribers:
    """A transcriber for every leg of the roster."""

    def __init__(self, context: Context, detector: VoiceDetector, recognizers: dict[str, Recognizer]) -> None:
        self._context = context
        self._detector = detector
        self._recognizers = recognizers
        self._policy = EndpointPolicy(hang_ms=context.config.engines.endpoint_ms)
        self._by_leg: dict[tuple[int, int], Transcriber | None] = {}  # (place, call); None: nobody knows its language

    def follow(self, roster: Roster) -> list[Transcriber]:
        """Open and close transcribers as legs come and go; returns those there are."""
        legs = {(leg.place, leg.call): leg for leg in roster.legs}
        for gone in self._by_leg.keys() - legs.keys():
            transcriber = self._by_leg.pop(gone)
            if transcriber is not None:
                transcriber.close()
        for key in legs.keys() - self._by_leg.keys():
            self._by_leg[key] = self._open(legs[key])
        return [transcriber for transcriber in self._by_leg.values() if transcriber is not None]

    def _open(self, leg: Leg) -> Transcriber | None:
        try:
            recognizer = for_language(self._recognizers, leg.language, "recognizers")
        except EngineError as error:
            self._context.log.error(f"room {leg.room} is not understood: {error}")
            return None
        uplink = self._context.reader("uplink", leg.place)
        return Transcriber(self._context, Listener(leg, uplink, self._detector, self._policy), recognizer)
