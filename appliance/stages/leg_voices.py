"""Which voice each clause is spoken with: the speaker's own where that can be, else the engine's; and who is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from appliance.clock import now_ns
from appliance.engines.protocols import (
    ClonedVoice,
    CloningSynthesizer,
    EngineError,
    Samples,
    Synthesizer,
    VoiceConditioner,
    conditioning_model,
)
from appliance.frames.messages import HealthEvent
from appliance.frames.ring import END, START, Frame
from appliance.frames.roster import Leg, call_stamp
from appliance.media.tone import two_notes
from appliance.recovery import breaker as policy
from appliance.recovery.breaker import Breaker, Failure
from appliance.recovery.voice_ladder import REASONS, Step, VoiceRung, next_voice_rung
from appliance.stages.lane_speech import Clause
from appliance.stages.voice_reader import OnFile, VoiceReader
from appliance.supervision.context import Context
from appliance.supervision.vitals import reason_word
from appliance.toml_shape import Level
from appliance.units import FRAME_BYTES, NS_PER_S

STALE_NS = 10 * NS_PER_S  # a withdrawal would have gone unseen for so long
FRAMES_AT_ONCE = 512
FULL_SCALE = 32_768
NOTHING: Samples = np.zeros(0, np.float32)


class Way(NamedTuple):
    """How a clause is spoken. Without `voice` in the engine's own; `why` says why, where somebody's own was wanted.

    `reason`: the same as one of REASONS; `is_fault`: that is nobody's intention.
    """

    voice: ClonedVoice | None = None
    speed: float = 1.0
    why: str = ""
    is_fault: bool = False
    reason: str = ""


@dataclass(slots=True)
class _Trouble:
    """An engine's with one voice."""

    breaker: Breaker
    why: str


class LegVoices:
    """The voices of all legs. `engines` by name, of which some may clone."""

    def __init__(self, context: Context, engines: Mapping[str, Synthesizer]) -> None:
        self._context = context
        self._engines = engines
        conditioners = {
            each.conditioning_model: each for each in engines.values() if isinstance(each, VoiceConditioner)
        }
        self._reader = VoiceReader(context.config.voices, conditioners)
        self._samples = context.reader("samples")
        self._samples.seek(self._samples.head)  # what a process before this one was to learn is offered again
        self._lesson: list[bytes] = []
        self._trouble: dict[tuple[str, str], _Trouble] = {}  # by engine and voice
        self._rungs: dict[tuple[int, int], VoiceRung] = {}  # by lane and call
        self._stock: dict[tuple[int, int], str] = {}  # the reason of each leg and call that should be spoken as itself
        self._notes = _notes(context.config.media.announce_db)

    def follow(self) -> None:
        """Take in who is there, and what is to be learned of them."""
        legs = self._context.roster().legs
        speakers = frozenset(leg.speaker for leg in legs if leg.speaker)
        self._reader.want(speakers, frozenset((leg.place, leg.call) for leg in legs))
        calls = {leg.call for leg in legs}
        self._rungs = {key: rung for key, rung in self._rungs.items() if key[1] in calls}
        self._count({(leg.place, leg.call) for leg in legs if leg.speaker})
        while frames := self._samples.pop_many(FRAMES_AT_ONCE):
            for frame in frames:
                self._take(frame)
        self._samples.commit()
        while self._reader.problems:
            self._context.log.error(f"no voice was learned: {self._reader.problems.pop()}")

    def way(self, clause: Clause, name: str) -> Way:
        """How the engine `name` is to speak a clause now."""
        leg = self._leg_of(clause)
        if leg is None:
            return Way()
        way = self._with_voice_on_file(leg, name) if leg.speaker else Way(self._learned(leg, name))
        if way.voice is None:
            return way
        trouble = self._trouble.get((name, way.voice.speaker_id))
        if trouble and not policy.may_ask(trouble.breaker, now_ns()):
            return way._replace(voice=None, why=trouble.why, is_fault=True, reason="engine")
        return way

    def failed(self, name: str, voice: ClonedVoice, error: EngineError) -> None:
        """An engine could not speak with a voice: it speaks with its own for a while."""
        key = name, voice.speaker_id
        before = self._trouble[key].breaker if key in self._trouble else Breaker()
        self._trouble[key] = _Trouble(policy.after_failure(before, now_ns(), Failure.AWAY), str(error))

    def spoken(self, clause: Clause, way: Way, name: str) -> Samples:
        """A clause has been spoken so: tell what is new; returns the notes that announce it, at 16 kHz."""
        if way.voice:
            self._trouble.pop((name, way.voice.speaker_id), None)
        key = clause.lane, clause.translation.source.call
        before = self._rungs.get(key, VoiceRung())
        self._rungs[key], step = next_voice_rung(before, way.voice is not None, way.why)
        leg = self._leg_of(clause)
        if leg:
            self._note(leg, way)
        if leg and step is not Step.STAYS:
            self._tell(leg, clause.lane, way, step)
        return self._notes.get(step, NOTHING)

    def close(self) -> None:
        """No more calls."""
        self._reader.close()

    def _with_voice_on_file(self, leg: Leg, name: str) -> Way:
        found = self._reader.known.get(leg.speaker)
        if found is None:
            return Way()  # it has just been chosen, and is being read
        if not isinstance(found, OnFile):
            return Way(why=str(found), is_fault=True, reason=found.reason)
        if now_ns() - self._reader.read_ns > STALE_NS:
            return Way(why="the store of voices does not answer", is_fault=True, reason="store")
        return self._as_enrolled(leg, name, found)

    def _as_enrolled(self, leg: Leg, name: str, found: OnFile) -> Way:
        engine = self._engines[name]
        if not isinstance(engine, CloningSynthesizer):
            return Way(speed=found.speed, why=f"{name} clones no voices", reason="no_cloning")
        if found.manners and found.model == conditioning_model(engine, name):
            return Way(found.manners[min(leg.manner, len(found.manners) - 1)], found.speed)
        if learned := self._learned(leg, name):
            return Way(learned, found.speed)
        why = f"{leg.speaker} was not enrolled for {name}; enrol it again"
        return Way(speed=found.speed, why=why, reason="another_engine")

    def _learned(self, leg: Leg, name: str) -> ClonedVoice | None:
        engine = self._engines[name]
        if not isinstance(engine, CloningSynthesizer):
            return None
        return self._reader.learned.get((leg.place, leg.call), {}).get(conditioning_model(engine, name))

    def _leg_of(self, clause: Clause) -> Leg | None:
        source = clause.translation.source
        legs = self._context.roster().legs
        return next((leg for leg in legs if (leg.place, leg.call) == (source.leg, source.call)), None)

    def _note(self, leg: Leg, way: Way) -> None:
        """For the metric: a leg counts from its first clause in a stock voice to its next one in its own."""
        if way.reason:
            self._stock[leg.place, leg.call] = way.reason
        elif way.voice:
            self._stock.pop((leg.place, leg.call), None)

    def _count(self, legs: set[tuple[int, int]]) -> None:
        """`legs`: those that have a voice on file."""
        self._stock = {leg: reason for leg, reason in self._stock.items() if leg in legs}
        found = list(self._stock.values())
        self._context.vitals.set("stock_legs", reason_word(found.count(reason) for reason in REASONS))

    def _tell(self, leg: Leg, lane: int, way: Way, step: Step) -> None:
        whose = way.voice.speaker_id if way.voice else leg.speaker
        if step is Step.UP:
            status, action = "RESTORED", f"lane {lane} is spoken with {whose} again"
        elif way.voice:
            status, action = "CLONED", f"lane {lane} is spoken with {whose}"
        else:
            status = "DEGRADED" if way.is_fault or step is Step.DOWN else "STOCK"
            action = f"lane {lane} is spoken with a stock voice: {way.why or 'there is nobody to be spoken as'}"
        self._context.journal(HealthEvent("voice", status, action, now_ns(), session_id=leg.room))

    def _take(self, frame: Frame) -> None:
        """One frame of what is to be learned; it comes with all others of one leg at once."""
        if frame.flags & START:
            self._lesson = []
        elif not self._lesson:
            return  # a part of something that was overwritten
        self._lesson.append(frame.payload)
        if not frame.flags & END:
            return
        leg = next((leg for leg in self._context.roster().legs if leg.place == frame.stream), None)
        pcm, self._lesson = b"".join(self._lesson), []
        if leg and call_stamp(leg.call) == frame.timestamp:
            samples = np.frombuffer(pcm if len(pcm) >= FRAME_BYTES else b"", "<i2").astype(np.float32)
            self._reader.learn((leg.place, leg.call), samples / np.float32(FULL_SCALE))


def _notes(level_db: Level) -> Mapping[Step, Samples]:
    """What announces that a lane has lost its speaker's voice, and that it has it back."""
    if level_db == "off":
        return {}
    return {
        step: np.frombuffer(b"".join(two_notes(rising, level_db)), "<i2").astype(np.float32) / np.float32(FULL_SCALE)
        for step, rising in ((Step.DOWN, False), (Step.UP, True))
    }
