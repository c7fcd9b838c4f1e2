"""Clauses on their way through the synthesizers: each speaks as many at once as it can, and none waits for another."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from appliance.clock import now_ns
from appliance.engines.protocols import (
    ClonedVoice,
    CloningSynthesizer,
    EngineError,
    EngineUnavailable,
    Samples,
    Speech,
    Synthesizer,
    covers,
)
from appliance.engines.registry import ELSEWHERE, for_language
from appliance.recovery.breaker import PATIENCE_MS
from appliance.speech.catch_up import learned, synthesis_ms
from appliance.speech.phrasing import Voice
from appliance.stages.clause_sound import ClauseSound, may_begin, next_margin_ms
from appliance.stages.engine_chain import EngineChain
from appliance.stages.lane_speech import Clause
from appliance.stages.leg_voices import LegVoices, Way
from appliance.stages.mishaps import sound_of
from appliance.stages.patience import Call
from appliance.supervision.context import Context
from appliance.supervision.stillness import Stillness, look_at_others
from appliance.units import NS_PER_MS, SAMPLE_RATE_HZ

NOTHING: Samples = np.zeros(0, np.float32)


class News(NamedTuple):
    """What has become of a clause: more of its sound, at 16 kHz, or its end; no sound at all where nobody could."""

    clause: Clause
    samples: Samples
    is_over: bool


@dataclass(slots=True)
class _Job:
    """A clause that is being spoken by the engine `name`, or waits for one to be free. `failed`: who could not."""

    clause: Clause
    names: Sequence[str]
    failed: set[str] = field(default_factory=set)
    name: str = ""
    call: Call[Speech] | None = None
    sound: ClauseSound = field(default_factory=lambda: ClauseSound(now_ns()))
    fresh: list[Samples] = field(default_factory=list)  # what has not been told
    way: Way = field(default_factory=Way)
    is_heard: bool = False  # its first sound has been told


class Synthesis:
    """Speaks clauses with the engines of `chain`. `complain` is told of failures; `wake` is called by any thread.

    Of a clause that not `is_wanted` any more, nothing is said beyond what the engine is in the middle of.
    """

    def __init__(
        self,
        context: Context,
        chain: EngineChain[Synthesizer],
        complain: Callable[[EngineError], None],
        wake: Callable[[], None],
        is_wanted: Callable[[Clause], bool],
    ) -> None:
        self._context = context
        self._chain = chain
        self._complain = complain
        self._wake = wake
        self._is_wanted = is_wanted
        self._jobs: list[_Job] = []
        self._stillness = Stillness()
        self._legs = LegVoices(context, chain.engines.by_name)
        self._overdue: dict[str, list[Call[Speech]]] = {}  # that nobody waits for any more, by engine
        self._voices: dict[tuple[str, str], Voice] = {}  # by engine and language
        self._margins_ms: dict[str, float] = {}  # by engine

    def who_speaks(self, language: str) -> Sequence[str]:
        """The engines for `language`, in their order. Raises EngineError where there is none."""
        engines = self._chain.engines
        names = for_language(engines.chains, language, "synthesizers")
        able = [name for name in names if covers(engines.by_name[name].languages, language)]
        if not able:
            raise EngineError(f'{" or ".join(names)} does not speak "{language}"; change engines.synthesizers')
        for name in able:
            self._voices.setdefault((name, language), Voice(language, engines.by_name[name].clause_sizes))
        return able

    def voice(self, language: str) -> Voice | None:
        """The voice that would speak now; None while it has no room for one more clause."""
        names = self.who_speaks(language)
        name = self._chain.first(names) or names[0]
        return None if self._is_busy(name) else self._voices[name, language]

    def begin(self, clause: Clause) -> None:
        """Have a clause spoken."""
        job = _Job(clause, self.who_speaks(clause.translation.target_language))
        self._jobs.append(job)
        self._ask(job)

    def follow(self) -> None:
        """Take in who is there."""
        self._legs.follow()

    def close(self) -> None:
        """No more calls."""
        self._legs.close()

    def news(self) -> Iterator[News]:
        """What was spoken since the last call."""
        self._stillness = look_at_others(self._stillness, now_ns())
        for job in list(self._jobs):
            if job.call is None:
                self._ask(job)
            is_over = job.call is not None and self._is_over(job)
            if is_over:
                self._finish(job)
            if is_over or (job.call is None and self._chain.first(job.names, job.failed) is None):
                self._jobs.remove(job)
                yield News(job.clause, _taken(job.fresh), True)
            elif job.fresh and self._may_be_heard(job):
                yield News(job.clause, _taken(job.fresh), False)
        self._context.busy_since(min((job.sound.began_ns for job in self._jobs if job.call), default=None))

    def _ask(self, job: _Job) -> None:
        """Begin with the next engine that can be asked, if it is free."""
        name = self._chain.first(job.names, job.failed)
        if name is None or self._is_busy(name):
            return
        engine = self._chain.engines.by_name[name]
        overdue = self._overdue[name] = [call for call in self._overdue.get(name, []) if call.goes_on]
        is_stuck = len(overdue) >= engine.most_streams
        if not is_stuck and self._speaking(name) + len(overdue) >= engine.most_streams:
            return
        job.name = self._chain.ask(job.names, job.failed) or name
        if is_stuck:
            self._fail(job, EngineUnavailable(f"{name} still speaks a clause that nobody waits for any more"))
            return
        self._call(job, self._legs.way(job.clause, name))

    def _call(self, job: _Job, way: Way) -> None:
        """Have the engine of `job` speak its clause."""
        name, text, language = job.name, job.clause.text, job.clause.translation.target_language
        engine = self._chain.engines.by_name[name]
        job.way, job.sound = way, ClauseSound(now_ns())
        job.is_heard = False

        def pieces() -> Iterator[Speech]:
            if way.voice and isinstance(engine, CloningSynthesizer):
                return sound_of(name, engine.synthesize_as(way.voice, text, language, way.speed))
            return sound_of(name, engine.synthesize(text, language, way.speed))

        job.call = Call(pieces, name, self._wake)

    def _is_over(self, job: _Job) -> bool:
        """Take in what has come, and say whether that was all.

        An engine that failed, or takes too long although another could speak, is left.
        """
        assert job.call, "it was asked"
        try:
            pieces, is_over = job.call.news()
        except EngineError as error:
            if job.way.voice and not isinstance(error, EngineUnavailable):
                self._lose_voice(job, job.way.voice, error)
            else:
                self._fail(job, error)
            return False
        for piece in pieces:
            self._hear(job, job.sound.push(piece, now_ns()))
        if not is_over and job.sound.samples and not self._is_wanted(job.clause):
            self._leave(job)
            self._break_off(job)
            job.call, job.names = None, ()  # and nobody else is asked
            return False
        if not is_over and self._is_too_slow(job):
            self._leave(job)
            self._fail(job, EngineUnavailable(f"{job.name} has not spoken in time"))
        return is_over

    def _hear(self, job: _Job, samples: Samples) -> None:
        """The next sound of a clause, after what announces a change of its voice."""
        if not len(samples):
            return
        if job.sound.samples == len(samples):
            job.fresh.append(self._legs.spoken(job.clause, job.way, job.name))
        job.fresh.append(samples)

    def _may_be_heard(self, job: _Job) -> bool:
        """Whether what there is lasts until there is more."""
        sound = job.sound
        waited_ms, took_ms = (now_ns() - sound.first_ns) / NS_PER_MS, sound.took_ns / NS_PER_MS
        there_ms = 1000 * sound.samples / SAMPLE_RATE_HZ
        job.is_heard |= may_begin(waited_ms, self._margins_ms.get(job.name, 0.0), there_ms, took_ms)
        return job.is_heard

    def _leave(self, job: _Job) -> None:
        """Wait no longer for the engine; it may be in the middle of something."""
        assert job.call, "it was asked"
        job.call.give_up()
        self._overdue[job.name].append(job.call)

    def _is_too_slow(self, job: _Job) -> bool:
        hangs = self._hangs(job)
        if self._chain.first(job.names, {job.name, *job.failed}) is None:
            if hangs:
                self._context.give_up(f"{job.name} hangs, and no other one can be asked")
            return False  # one that only takes long is given as long as the watchdog allows
        if hangs:
            return True
        cost = self._voices[job.name, job.clause.translation.target_language].cost
        # Some engines give a clause in one piece: what they take for it as a rule is no silence to worry about.
        limit_ms = PATIENCE_MS["tts"] + synthesis_ms(len(job.clause.text), cost)
        return (now_ns() - job.sound.dry_ns) / NS_PER_MS > limit_ms

    def _hangs(self, job: _Job) -> bool:
        """Whether its engine, of this machine, has done nothing at all for a while."""
        now = now_ns()
        is_still = replace(self._stillness, since_ns=max(self._stillness.since_ns, job.sound.dry_ns)).is_too_long(now)
        return is_still and job.name not in ELSEWHERE

    def _fail(self, job: _Job, error: EngineError) -> None:
        self._chain.failed(job.name, error)
        self._complain(error)
        self._break_off(job)
        job.failed.add(job.name)
        job.call = None
        self._ask(job)

    def _lose_voice(self, job: _Job, voice: ClonedVoice, error: EngineError) -> None:
        """The engine cannot speak with this voice: it speaks the clause with its own, at once."""
        self._legs.failed(job.name, voice, error)
        self._complain(error)
        self._break_off(job)
        self._call(job, job.way._replace(voice=None, why=str(error), is_fault=True))

    def _break_off(self, job: _Job) -> None:
        """What was heard of a clause fades away; who speaks it next begins it again, as people do."""
        if job.sound.samples:
            self._hear(job, job.sound.finish())

    def _finish(self, job: _Job) -> None:
        """The last sound of a clause; what the engine took for it is remembered."""
        self._chain.answered(job.name)
        self._hear(job, job.sound.finish())
        margin_ms = self._margins_ms.get(job.name, 0.0)
        self._margins_ms[job.name] = next_margin_ms(margin_ms, job.sound.late_ns / NS_PER_MS)
        key = job.name, job.clause.translation.target_language
        voice, speech_ms = self._voices[key], 1000 * job.sound.samples / SAMPLE_RATE_HZ
        cost = learned(voice.cost, job.sound.lead_ns / NS_PER_MS, speech_ms, len(job.clause.text))
        self._voices[key] = replace(voice, cost=cost)

    def _is_busy(self, name: str) -> bool:
        return self._speaking(name) >= self._chain.engines.by_name[name].most_streams

    def _speaking(self, name: str) -> int:
        return sum(job.call is not None and job.name == name for job in self._jobs)


def _taken(fresh: list[Samples]) -> Samples:
    """All of it; nothing is left."""
    samples = np.concatenate((NOTHING, *fresh))
    fresh.clear()
    return samples
