"""One leg's speech on its way into words, with a recognizer of ours: what to decode next, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

from appliance.engines.protocols import (
    AUTO,
    EngineError,
    Hypothesis,
    StreamContext,
    Transcript,
    VoiceDetector,
    Window,
    Word,
)
from appliance.recovery.overload import gives_up
from appliance.speech.endpointing import WINDOW_MS, EndpointPolicy, Utterance
from appliance.speech.hallucination import Evidence, believed
from appliance.speech.language_choice import LanguageChoice
from appliance.speech.stable_prefix import AgreementPolicy, StableWords
from appliance.stages.listening import Listener
from appliance.stages.sound import Sound
from appliance.units import FRAME_SAMPLES, SAMPLE_RATE_HZ

TAIL_SAMPLES = SAMPLE_RATE_HZ * 160 // 1000  # silence after speech that its recognizer gets, if it is there


@dataclass(frozen=True, slots=True)
class StreamPolicy:
    """When speech is decoded, and what of it is believed. `step_ms` None: only in pauses, and nothing is told early.

    `languages`: those that a leg may speak whose language is to be found out, the likeliest first.
    """

    step_ms: int | None = 400
    languages: tuple[str, ...] = ()
    endpoint: EndpointPolicy = field(default_factory=EndpointPolicy)
    agreement: AgreementPolicy = field(default_factory=AgreementPolicy)
    most_waiting_ms: int = 4_000  # of sound; where more waits, utterances are skipped, the oldest first


class Urgency(IntEnum):
    """Why a window is due; who comes first goes first."""

    END = 0  # its speaker has finished: somebody waits for the answer
    PAUSE = 1  # perhaps
    STEP = 2


@dataclass(frozen=True, slots=True, eq=False)
class Decode:
    """A window that is due. `voiced` counts the speech heard when it was cut out."""

    urgency: Urgency
    window: Window
    start_ns: int
    end_ns: int
    utterance: Utterance | None  # that it is the end of, if it is
    voiced: int
    new_voiced_ms: int  # speech that no decode before has looked at
    voiced_share: float
    listener: Listener  # that heard it; after an interruption there is another
    seq_num: int  # of the utterance it belongs to


@dataclass(slots=True)
class _Saying:
    """The utterance that is being spoken."""

    seq_num: int
    words: list[Word] = field(default_factory=list)
    ahead: tuple[Word, ...] = ()  # that were told as not settled yet
    revision: int = 0
    is_looked_at: bool = False


class LocalStream:
    """A RecognitionStream. Its owner lets it `listen`, decodes what is `due`, and brings the answer: it never waits."""

    def __init__(
        self, context: StreamContext, language: str | LanguageChoice, detector: VoiceDetector, policy: StreamPolicy
    ) -> None:
        self.context = context
        self.closed = False
        self.dropped_frames = 0
        self.is_being_decoded = False  # its owner has taken what was due, and brings the answer
        self._is_giving_up = False
        self.choice = language if isinstance(language, LanguageChoice) else None
        self._language = language if isinstance(language, str) else language.expected
        self._detector = detector
        self._policy = policy
        self._sound = Sound()
        self._listener = Listener(detector, policy.endpoint)
        self._stable = StableWords(policy.agreement)
        self._saying: _Saying | None = None
        self._decided: str | None = None  # of the choice, as it has been told
        self._guess: tuple[int, list[Word]] | None = None  # what the utterance says if it ended with this window
        self._decoded_voiced = 0
        self._settled = 0  # the sample up to which everything has been told
        self._next_seq_num: int | None = None
        self._outbox: list[Transcript] = []
        self._error: EngineError | None = None
        self._has_failed = False  # with what is due

    @property
    def needed_from(self) -> int:
        if self._next_seq_num is None:
            return 0
        return self._sound.seq_num(self._untold_from())

    @property
    def is_speaking(self) -> bool:
        """Whether an utterance is not over."""
        return self._saying is not None

    def feed(self, pcm: bytes, capture_ns: int, seq_num: int) -> None:
        if self._next_seq_num not in (None, seq_num):
            self._interrupt()
        self._next_seq_num = seq_num + 1
        self._sound.append(pcm, capture_ns, seq_num)

    def end_utterance(self) -> None:
        """Nothing: the endpoint is found in the sound."""

    def take(self) -> list[Transcript]:
        if self._error is not None and not self._outbox:
            error, self._error = self._error, None
            raise error
        taken, self._outbox = self._outbox, []
        return taken

    def close(self) -> None:
        self.closed = True

    def listen(self) -> None:
        """Take in what was fed. Silence costs nothing; of speech, utterances that wait for too long are skipped."""
        while self._listener.hear(self._sound) or self._skips():
            self._follow()
        self._forget()

    def due(self, step_ms: float) -> Decode | None:
        """What should be decoded now; a growing utterance when there is so much new speech in it."""
        listener = self._listener
        if self._saying is None:
            return None
        if over := listener.over:
            return self._decode(Urgency.END, over)
        if pause := listener.pause:
            return None if self._is_guessed(pause) else self._decode(Urgency.PAUSE, pause)
        if self._policy.step_ms is not None and self._new_voiced_ms() >= step_ms:
            return self._decode(Urgency.STEP, None, self._held_back_ms(step_ms))
        return None

    def answer(self, decode: Decode, hypothesis: Hypothesis, decode_ms: float) -> None:
        """What a window says that was due, in the language that it turned out to be in."""
        self.is_being_decoded = self._has_failed = False
        if decode.listener is not self._listener or self._saying is None or decode.seq_num != self._saying.seq_num:
            return  # the sound was interrupted meanwhile
        words = _timed(decode, hypothesis)
        self._decoded_voiced = decode.voiced
        self._saying.is_looked_at = True
        if decode.window.language != AUTO:
            self._language = decode.window.language
        if decode.urgency is Urgency.END:
            self._finish(words, decode_ms)
            return
        is_stuck = self._stable.is_stuck(decode.end_ns)
        if self._policy.step_ms is not None:
            self._tell(self._settled_words(words, decode.end_ns, is_stuck), decode_ms)
        if decode.utterance is not None:
            self._guess = (decode.utterance.end, [] if is_stuck else words)

    def fail(self, decode: Decode, error: EngineError) -> None:
        """A window could not be decoded. It is due once more, if no other recognizer is given it."""
        self.complain(error)
        self.is_being_decoded = False
        if has_failed_before := self._has_failed:
            self.answer(decode, Hypothesis((), 0.0, 0.0), 0.0)
        self._has_failed = not has_failed_before

    def complain(self, error: EngineError) -> None:
        """Let whoever takes what there is learn why there is no more."""
        self._error = error

    @property
    def has_complained(self) -> bool:
        """Whether they have learned it."""
        return self._error is None

    def _follow(self) -> None:
        """Begin and end utterances as the listener finds them."""
        listener = self._listener
        if self._saying is None and (listener.in_utterance or listener.over):
            self._begin(max(listener.needed_from, self._settled))
        if self._saying is None:
            return
        if over := listener.over:
            if self._guess is not None and self._is_guessed(over):
                self._finish(self._guess[1], 0.0)
            elif self._window_start() >= listener.sample(over.end):
                self._finish([], 0.0)
        elif not listener.in_utterance:  # it was no speech after all
            self._finish([], 0.0)

    def _skips(self) -> bool:
        """Give up the utterance that waits for its last look, if too much has been said since."""
        over = self._listener.over
        if over is None or self.is_being_decoded:
            return False
        waiting_ms = (self._sound.end - self._listener.heard_to) * 1000 / SAMPLE_RATE_HZ
        self._is_giving_up = gives_up(waiting_ms, self._is_giving_up, self._policy.most_waiting_ms)
        if not self._is_giving_up:
            return False
        lost = self._listener.sample(over.end) - self._window_start()
        self.dropped_frames += max(0, lost) // FRAME_SAMPLES
        self._finish([], 0.0)
        return True

    def _begin(self, start: int) -> None:
        self._saying = _Saying(self._sound.seq_num(start))
        self._stable.begin(self._sound.time_ns(start))
        self._decoded_voiced = self._listener.voiced
        self._guess = None

    def _window_start(self) -> int:
        return self._sound.sample_at(self._stable.window_start_ns)

    def _new_voiced_ms(self) -> int:
        return (self._listener.voiced - self._decoded_voiced) * WINDOW_MS

    def _held_back_ms(self, step_ms: float) -> int:
        """How much of the newest speech the next look leaves to the one after it.

        Two looks have to agree before a word is told. Where there is speech enough for both at once, because a process
        that has just taken over hears what the one before it had not told, nobody has to wait for more of it.
        """
        assert self._saying
        two_looks = not self._saying.is_looked_at and self._new_voiced_ms() >= 2 * step_ms
        return -int(-step_ms // WINDOW_MS) * WINDOW_MS if two_looks else 0

    def _is_guessed(self, utterance: Utterance) -> bool:
        return self._guess is not None and self._guess[0] == utterance.end

    def _decode(self, urgency: Urgency, utterance: Utterance | None, held_back_ms: int = 0) -> Decode:
        assert self._saying, "something is due only while somebody speaks"
        listener, sound = self._listener, self._sound
        start = self._window_start()
        heard_to = listener.heard_to - held_back_ms * SAMPLE_RATE_HZ // 1000
        end = heard_to if utterance is None else listener.sample(utterance.end)
        tail = 0 if utterance is None else TAIL_SAMPLES
        return Decode(
            urgency,
            Window(sound.samples(start, end + tail), self._language, self._stable.prompt()),
            sound.time_ns(start),
            sound.time_ns(end),
            utterance,
            listener.voiced - held_back_ms // WINDOW_MS,
            self._new_voiced_ms() - held_back_ms,
            listener.voiced_share(start, end),
            listener,
            self._saying.seq_num,
        )

    def _settled_words(self, words: Sequence[Word], end_ns: int, is_stuck: bool) -> list[Word]:
        """Those of a hypothesis that can be told; the window moves on behind them."""
        if is_stuck:  # no two hypotheses have agreed for so long: this one has to do
            settled = self._stable.finish(words)
            self._stable.begin(end_ns)
            return settled
        settled = self._stable.push(words, end_ns)
        self._stable.trim(end_ns)
        return settled

    def _finish(self, words: Sequence[Word], decode_ms: float) -> None:
        """The utterance is over, and this is all that its last window says."""
        over = self._listener.over
        self._tell(self._stable.finish(words), decode_ms, final=True)
        end = self._listener.sample(over.end) if over else self._listener.needed_from
        self._settled = max(self._settled, end)
        self._listener.over = None
        self._saying = None
        if self._listener.in_utterance:  # it had become too long, and goes on
            self._begin(self._settled)

    def _tell(self, words: list[Word], decode_ms: float, final: bool = False) -> None:
        saying = self._saying
        if saying is None:
            return
        saying.words += words
        newest = self._stable.committed  # the same words, but for marks and capitals
        saying.words[len(saying.words) - len(newest) :] = newest
        decided = self.choice.language if self.choice else None
        is_decided_now = not final and decided != self._decided  # somebody waits for that, with or without words
        ahead = () if final else tuple(self._stable.unsettled)
        if not words and not is_decided_now and ahead == saying.ahead and not (final and saying.words):
            return
        self._decided, saying.ahead = decided, ahead
        self._outbox.append(
            Transcript(
                self.context,
                saying.seq_num,
                saying.revision,
                final,
                self._language,
                tuple(saying.words),
                ahead,
                decode_ms=decode_ms,
                decided=self.choice.language is not None if self.choice else None,
                foreign=self.choice.foreign if self.choice else "",
            )
        )
        saying.revision += 1

    def _interrupt(self) -> None:
        """Frames were lost: what is left of an utterance makes no sense."""
        if self._saying is not None:
            self._tell([], 0.0, final=True)
            self._saying = None
        self._listener = Listener(self._detector, self._policy.endpoint, self._sound.end)
        self._settled = self._sound.end
        self._decoded_voiced = 0

    def _untold_from(self) -> int:
        """The oldest sample whose words are not told."""
        if self._saying is None:
            return max(self._listener.needed_from, self._settled)
        told_ns = max([self._stable.window_start_ns, *(word.end_ns for word in self._saying.words[-1:])])
        return self._sound.sample_at(told_ns)

    def _forget(self) -> None:
        """Let go of the sound that no window to come can contain."""
        before = self._listener.needed_from if self._saying is None else self._window_start()
        self._sound.forget(before)
        self._listener.forget(before)


def _timed(decode: Decode, hypothesis: Hypothesis) -> list[Word]:
    """The words that are believed, in the time of the sound."""
    words = [
        replace(
            word,
            start_ns=min(decode.start_ns + word.start_ns, decode.end_ns),
            end_ns=min(decode.start_ns + word.end_ns, decode.end_ns),
        )
        for word in hypothesis.words
    ]
    evidence = Evidence(decode.voiced_share, hypothesis.no_speech, hypothesis.log_probability)
    return believed(words, evidence)
