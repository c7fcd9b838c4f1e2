"""A recognizer of ours as a StreamingRecognizer: legs that are due are decoded in a batch, beside the main loop."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from time import perf_counter

from appliance import clock
from appliance.config import EnginesConfig
from appliance.engines.protocols import (
    AUTO,
    BatchRecognizer,
    EngineHangs,
    EngineRefused,
    EngineUnavailable,
    Hypothesis,
    StreamContext,
    VoiceDetector,
    covers,
)
from appliance.speech.decode_pace import DecodePace
from appliance.speech.endpointing import EndpointPolicy
from appliance.speech.language_choice import LanguageChoice
from appliance.stages.local_stream import Decode, LocalStream, StreamPolicy, Urgency
from appliance.stages.mishaps import as_engine_error, hypotheses_of
from appliance.supervision.stillness import Stillness, look_at_others

OURS = "a recognizer of this box"  # which one, the chain says
STUCK_S = 3.0  # a batch that takes longer is waited for, where the watchdog sees it
NEVER_MS = 3_600_000
LONGEST_PAUSE_MS = 250  # a shorter one decides nothing; after a longer one, the answer would come after the endpoint
LONGEST_SPEECH_MS = 600_000  # without a pause; only music goes on for so long

Batch = list[tuple[LocalStream, Decode]]


def stream_policy(engines: EnginesConfig) -> StreamPolicy:
    """As the configuration has it: a language that nobody can answer in is not waited for."""
    languages = engines.languages
    most_waiting_ms = engines.most_behind_ms // 2
    if not engines.simultaneous:
        endpoint = EndpointPolicy(hang_ms=engines.endpoint_ms)
        return StreamPolicy(None, languages, endpoint, most_waiting_ms=most_waiting_ms)
    pause_ms = min(LONGEST_PAUSE_MS, engines.endpoint_ms // 2)
    endpoint = EndpointPolicy(engines.endpoint_ms, pause_ms, longest_ms=LONGEST_SPEECH_MS)
    return StreamPolicy(engines.step_ms, languages, endpoint, most_waiting_ms=most_waiting_ms)


class LocalStreams:
    """One batch at a time is decoded in a thread of its own, so that a slow model delays no leg of another one."""

    def __init__(self, recognizer: BatchRecognizer, detector: VoiceDetector, policy: StreamPolicy) -> None:
        self.languages = recognizer.languages
        self._recognizer = recognizer
        self._detector = detector
        self._policy = policy
        self._streams: list[LocalStream] = []
        self._pace = DecodePace(NEVER_MS if policy.step_ms is None else policy.step_ms)
        self._thread = ThreadPoolExecutor(1, "decoder")
        self._batch: Batch = []
        self._answer: Future[tuple[list[Decode], list[Hypothesis], float]] | None = None
        self._since_s = 0.0
        self._stillness = Stillness()
        self._warned: set[LocalStream] = set()  # that it hangs

    def warm(self) -> None:
        self._recognizer.warm()

    def open(self, context: StreamContext, language: str) -> LocalStream:
        known = language == AUTO or covers(self.languages, language)
        if not known:
            raise EngineRefused(f'this recognizer does not know the language "{language}"')
        spoken = self._choice() if language == AUTO else language
        stream = LocalStream(context, spoken, self._detector, self._policy)
        self._streams.append(stream)
        return stream

    def advance(self) -> None:
        self._collect()
        self._streams = [stream for stream in self._streams if not stream.closed]
        self._notice_a_hang()
        for stream in self._streams:
            stream.listen()
        if self._answer is None:
            self._begin(self._most_urgent())

    def close(self) -> None:
        for stream in self._streams:
            stream.close()
        self._thread.shutdown(cancel_futures=True)

    def _notice_a_hang(self) -> None:
        """Warn each stream, so that its leg moves to another recognizer. Raises EngineHangs where one has not."""
        now_ns = clock.now_ns()
        if self._answer is not None:
            self._stillness = look_at_others(self._stillness, now_ns)
        if self._answer is None or not self._stillness.is_too_long(now_ns):
            self._warned.clear()
            return
        for stream in self._streams:
            if stream not in self._warned:
                self._warned.add(stream)
                stream.complain(EngineUnavailable(f"{OURS} hangs"))
            elif stream.has_complained:
                raise EngineHangs(f"{OURS} hangs, and no other one can be asked")

    def _choice(self) -> LanguageChoice:
        candidates = tuple(each for each in self._policy.languages if covers(self.languages, each))
        if not candidates:
            raise EngineRefused("this recognizer knows none of the languages that can be spoken")
        return LanguageChoice(candidates, candidates[0])

    def _most_urgent(self) -> Batch:
        speaking = sum(stream.is_speaking for stream in self._streams)
        step_ms = self._pace.step_ms(-(-speaking // self._recognizer.most_windows))
        due = [(stream, decode) for stream in self._streams if (decode := stream.due(step_ms)) is not None]
        due.sort(key=lambda each: (each[1].urgency, each[1].end_ns))
        return due[: self._recognizer.most_windows]

    def _begin(self, batch: Batch) -> None:
        if batch:
            self._batch = batch
            self._since_s = perf_counter()
            self._stillness = Stillness()
            for stream, _ in batch:
                stream.is_being_decoded = True
            self._answer = self._thread.submit(self._decoded, batch)

    def _decoded(self, batch: Batch) -> tuple[list[Decode], list[Hypothesis], float]:
        """What each window says; nothing yet where its language has to be known first."""
        began_s = perf_counter()
        decodes = [self._in_its_language(decode, stream.choice) for stream, decode in batch]
        known = [decode.window for decode in decodes if decode.window.language != AUTO]
        hypotheses = iter(hypotheses_of(OURS, self._recognizer.decode(known), len(known)) if known else [])
        nothing = Hypothesis((), 0.0, 0.0)
        answers = [nothing if decode.window.language == AUTO else next(hypotheses) for decode in decodes]
        return decodes, answers, 1000 * (perf_counter() - began_s)

    def _in_its_language(self, decode: Decode, choice: LanguageChoice | None) -> Decode:
        """The same with the language it seems to be in. In mid-speech, only a first choice is worth the time."""
        if choice is None or (choice.language is not None and decode.urgency is Urgency.STEP):
            return decode
        probabilities = self._recognizer.language_probabilities(decode.window.samples)
        language = choice.push(probabilities, decode.new_voiced_ms)
        if language is None:
            shares = choice.shares
            language = AUTO if decode.urgency is Urgency.STEP else max(shares, key=shares.__getitem__)
        return replace(decode, window=replace(decode.window, language=language))

    def _collect(self) -> None:
        """Bring the streams their answers, if there are any."""
        if self._answer is None or not (self._answer.done() or perf_counter() - self._since_s > STUCK_S):
            return
        answer, self._answer = self._answer, None
        try:
            decodes, hypotheses, decode_ms = answer.result()
        except Exception as error:
            failure = as_engine_error(OURS, error)
            for stream, decode in self._batch:
                stream.fail(decode, failure)
            return
        self._pace.spent(decode_ms)
        for (stream, _), decode, hypothesis in zip(self._batch, decodes, hypotheses, strict=True):
            stream.answer(decode, hypothesis, decode_ms)
