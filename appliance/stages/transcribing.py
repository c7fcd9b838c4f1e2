"""Legs turned into text: frames into a recognition stream, words out of it, and segments of them that grow."""

from collections.abc import Collection, Iterator, Sequence

from appliance import clock
from appliance.engines.protocols import (
    AUTO,
    EngineError,
    EngineHangs,
    EngineRefused,
    EngineUnavailable,
    RecognitionStream,
    StreamContext,
    StreamingRecognizer,
    Transcript,
    covers,
)
from appliance.engines.registry import for_language
from appliance.frames.messages import HealthEvent, LanguageFound, Segment
from appliance.frames.ring import Frame, RingReader, RingWriter
from appliance.frames.roster import Leg, Roster, call_stamp
from appliance.recovery import overload
from appliance.recovery.breaker import PATIENCE_MS, State
from appliance.speech.segmenter import Segmenter, SegmentPolicy, TextSegment
from appliance.speech.settled_words import SettledWords
from appliance.stages.engine_chain import EngineChain
from appliance.stages.spoken_language import SpokenLanguage
from appliance.supervision.context import Context
from appliance.units import FRAME_MS, FRAME_NS, NS_PER_MS

FRAMES_AT_ONCE = 64
STUMBLES = 3  # over one sentence: of one engine, and of the next one twice
PATIENCE_NS = PATIENCE_MS["asr"] * NS_PER_MS
NO_PARTIALS = SegmentPolicy(partial_words=1_000_000, looks_ahead=False)


class Transcriber:
    """One leg during one call: its segments, from its uplink.

    What a restarted process would have to hear again stays uncommitted in the ring until `settle`. So does what another
    engine has to hear when the one that listens is away: it is the next of `names` that can be asked, and an earlier
    one again as soon as that is tried and nobody speaks.
    """

    def __init__(
        self,
        context: Context,
        leg: Leg,
        uplink: RingReader,
        speech: RingWriter,
        chain: EngineChain[StreamingRecognizer],
        names: Sequence[str],
    ) -> None:
        """Raises EngineError where nobody can listen."""
        self.leg = leg
        self._context = context
        self._uplink = uplink
        self._speech = speech
        self._handed_on = -1  # the newest frame of the uplink that is in there
        self._chain = chain
        self._names = list(names)
        self._name, self._stream = self._opened()
        policy = SegmentPolicy() if context.config.engines.simultaneous else NO_PARTIALS
        self._segmenter = Segmenter(leg.place, leg.language, policy)
        self._words = SettledWords()
        candidates = context.config.engines.languages
        self._spoken = SpokenLanguage(leg, candidates) if leg.language == AUTO and candidates else None
        self._found: LanguageFound | None = None
        self._dropped = 0
        self._lost = 0  # of the stream's frames
        self._last_loss_ns = 0
        self._needed_from = 0
        self._newest = (0, 0)  # sequence number and capture time of the newest frame
        self._told_to_ns = 0  # the end of the last word of an utterance that goes on; 0 between utterances
        self._is_in_trouble = False
        self._trouble_since_ns = 0  # 0: it can be reached
        self._has_failed = False  # this leg, since the engine's breaker was closed
        self._has_spoken = False  # since this engine listens
        self._stumbles = 0  # errors since somebody has understood something

    def feed(self) -> None:
        """Take in what the ring holds."""
        while frames := self._uplink.pop_many(FRAMES_AT_ONCE):
            for frame in frames:
                self._stream.feed(frame.payload, frame.capture_ns, frame.sequence)
                self._hand_on(frame)
            self._newest = frames[-1].sequence, frames[-1].capture_ns
        self._context.vitals.add("dropped_frames", self._uplink.dropped - self._dropped)
        self._dropped = self._uplink.dropped
        self._count_overload()

    def _hand_on(self, frame: Frame) -> None:
        """Let the process `voices` hear it, too: a ring has one reader only."""
        if frame.sequence > self._handed_on:
            self._handed_on = frame.sequence
            self._speech.push(frame.payload, capture_ns=frame.capture_ns, timestamp=call_stamp(self.leg.call))

    def _count_overload(self) -> None:
        """Count what the engine has no time for, and tell it once for each episode."""
        lost, self._lost = self._stream.dropped_frames - self._lost, self._stream.dropped_frames
        if not lost:
            return
        self._context.vitals.add("overload_frames", lost)
        now = clock.now_ns()
        if overload.is_news(now, self._last_loss_ns):
            action = f"{self._name} is too slow: {lost * FRAME_MS / 1000:.0f} s of leg {self.leg.place} are skipped"
            self._context.journal(HealthEvent("leg", "OVERLOADED", action, now, session_id=self.leg.room))
        self._last_loss_ns = now

    def segments(self) -> Iterator[Segment]:
        """What has become of the text since the last call: segments that have grown or are complete."""
        self._needed_from = self._stream.needed_from  # before `take`: it may move on at any time
        for transcript in self._taken():
            for segment in self._segments_of(transcript):
                yield self._message(segment, transcript.decode_ms)
        segments = self._segmenter.wait(self._newest[1])
        if self._has_better():
            segments += self._move()
        for segment in segments:
            yield self._message(segment, 0.0)

    def language_found(self) -> LanguageFound | None:
        """What has become known of the leg's language since the last call."""
        found, self._found = self._found, None
        return found

    def settle(self) -> None:
        """The segments given out are safe with the next process: a restart need not recognise them again."""
        self._uplink.commit(max(self._uplink.committed, min(self._resume_at(), self._uplink.position)))

    def close(self) -> None:
        """The call is over: leave nothing of it to the next one at this place."""
        self._stream.close()
        self._uplink.seek(self._uplink.head)
        self._uplink.commit()

    def _resume_at(self) -> int:
        """The first frame whose words nobody has been told. A word that was told is not to be heard again."""
        if (untold_ns := self._segmenter.untold_since_ns) is not None:
            return min(self._needed_from, self._sequence_at(untold_ns))
        if self._told_to_ns:
            return max(self._needed_from, self._sequence_at(self._told_to_ns))
        return self._needed_from

    def _sequence_at(self, time_ns: int) -> int:
        sequence, capture_ns = self._newest
        return sequence - max(0, capture_ns - time_ns) // FRAME_NS

    def _taken(self) -> list[Transcript]:
        try:
            transcripts = self._stream.take()
        except EngineError as error:
            self._trouble(error)
            return []
        if transcripts:
            self._is_in_trouble, self._trouble_since_ns = False, 0
            self._chain.answered(self._name)
            self._has_failed, self._stumbles = False, 0
        return transcripts

    def _trouble(self, error: EngineError) -> None:
        """Count and tell it, once for as long as the engine is away or will not answer."""
        if self._is_in_trouble or (isinstance(error, EngineUnavailable) and self._may_come_back()):
            return
        self._has_failed = True
        self._is_in_trouble = isinstance(error, EngineUnavailable | EngineRefused)
        self._stumbles += not self._is_in_trouble
        self._context.vitals.add("engine_errors")
        self._context.log.error(f"room {self.leg.room}: {error}")
        self._chain.failed(self._name, error, away=self._is_in_trouble)

    def _may_come_back(self) -> bool:
        """Whether to give an engine that is away some time: where no other one can be asked."""
        now_ns = clock.now_ns()
        self._trouble_since_ns = self._trouble_since_ns or now_ns
        is_alone = self._chain.first(self._names, {self._name}) is None
        return is_alone and now_ns - self._trouble_since_ns < PATIENCE_NS

    # --- who listens ---

    def _opened(self, without: Collection[str] = ()) -> tuple[str, RecognitionStream]:
        """A stream of the first engine that can be asked; else of the first of all: it goes on trying by itself."""
        problem = EngineError(f'no recognizer knows the language "{self.leg.language}"')
        while self._names:
            name = self._chain.ask(self._names, without) or self._names[0]
            try:
                recognizer = self._chain.engines.by_name[name]
                return name, recognizer.open(StreamContext(self.leg.room, f"leg{self.leg.place}"), self.leg.language)
            except EngineError as error:
                problem = error
                self._names.remove(name)
        raise problem

    @property
    def _is_failed(self) -> bool:
        """Whether the engine cannot be reached, or was the first to stumble over what is said now.

        Where the next one stumbles too, it may be the sound: it is tried twice (`LocalStream.fail`), and left out.
        """
        return self._is_in_trouble or (self._has_failed and self._stumbles % STUMBLES == 1)

    def _has_better(self) -> bool:
        """Whether another engine should listen from now on."""
        if self._is_failed:
            return self._chain.first(self._names, {self._name}) is not None
        first = self._chain.first(self._names)
        if first in (None, self._name):
            return False
        is_speaking = self._told_to_ns or self._segmenter.waiting_since_ns is not None
        if self._chain.state(self._name) is State.OPEN and (self._has_failed or not is_speaking):
            return True  # another leg's failure is no reason to leave an engine that understands this one
        # Whoever is silent would learn nothing of the engine that is tried.
        return not is_speaking and self._has_spoken and self._names.index(first) < self._names.index(self._name)

    def _move(self) -> list[TextSegment]:
        """Let another engine hear what has not been told; returns what is told of the rest."""
        segments = self._segmenter.finish()
        self._uplink.seek(max(self._resume_at(), self._uplink.committed))
        self._stream.close()
        self._name, self._stream = self._opened({self._name} if self._is_failed else ())
        self._words, self._told_to_ns, self._lost = SettledWords(), 0, 0
        self._is_in_trouble = self._has_failed = self._has_spoken = False
        self._trouble_since_ns = 0
        return segments

    def _segments_of(self, transcript: Transcript) -> list[TextSegment]:
        words = self._words.push(transcript)
        self._segmenter.language = transcript.language
        if self._spoken:
            self._found = self._spoken.hear(transcript) or self._found
        self._segmenter.remark(self._words.given[: len(self._words.given) - len(words)])
        segments = self._segmenter.push(words, self._words.unsettled)
        self._told_to_ns = words[-1].end_ns if words else self._told_to_ns
        if transcript.final:
            self._told_to_ns = 0
            self._has_spoken = True
            self._context.vitals.add("utterances")
            segments += self._segmenter.finish()
        return segments

    def _message(self, segment: TextSegment, asr_ms: float) -> Segment:
        return Segment(
            leg=self.leg.place,
            call=self.leg.call,
            seq_num=segment.seq_num,
            revision=segment.revision,
            final=not segment.partial,
            start_ns=segment.start_ns,
            end_ns=segment.end_ns,
            language=self._segmenter.language,
            text=segment.text,
            asr_ms=asr_ms,
            ahead=segment.ahead,
        )


class Transcribers:
    """A transcriber for every leg of the roster."""

    def __init__(self, context: Context, chain: EngineChain[StreamingRecognizer]) -> None:
        self._context = context
        self._chain = chain
        self._engines = list(chain.engines.by_name.values())
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

    def advance(self) -> None:
        """Let the engines go on with what they were fed."""
        for engine in self._engines:
            try:
                with self._context.busy():
                    engine.advance()
            except EngineHangs as error:
                self._context.give_up(str(error))

    def close(self) -> None:
        """No more calls."""
        for engine in self._engines:
            engine.close()

    def _open(self, leg: Leg) -> Transcriber | None:
        engines = self._chain.engines
        try:
            chain = for_language(engines.chains, leg.language, "recognizers")
            known = [n for n in chain if leg.language == AUTO or covers(engines.by_name[n].languages, leg.language)]
            uplink, speech = self._context.reader("uplink", leg.place), self._context.writer("speech", leg.place)
            return Transcriber(self._context, leg, uplink, speech, self._chain, known)
        except EngineError as error:
            self._context.log.error(f"room {leg.room} is not understood: {error}")
            return None
