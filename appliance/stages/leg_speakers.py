"""Who speaks on each leg: the speech that asr hands on, listened to; what is learned of it, handed on to tts."""

from collections.abc import Iterator, Mapping

from appliance.clock import now_ns
from appliance.engines.protocols import EngineError
from appliance.frames.messages import HealthEvent, SpeakerFound
from appliance.frames.ring import END, START, RingReader
from appliance.frames.roster import Leg, call_stamp
from appliance.stages.leg_speaker import LegSpeaker
from appliance.supervision.context import Context
from appliance.supervision.vitals import Vitals
from appliance.units import FRAME_BYTES, NS_PER_S
from appliance.voices.arrays import Floats
from appliance.voices.directory import Directory
from appliance.voices.identity import Encoder, load_encoder
from appliance.voices.outdated import Models
from appliance.voices.style import StyleEncoder, all_styles

FRAMES_AT_ONCE = 64
WIPED_AFTER_NS = 2 * NS_PER_S  # tts has read it long before
FULL_SCALE = 32_767
FORGET = bytes(2)  # in place of speech: what was learned of this leg is nobody's any more


class LegSpeakers:
    """All legs of the roster. Nothing here is in a hurry."""

    def __init__(self, context: Context, directory: Directory) -> None:
        self._context = context
        self._directory = directory
        self._encoder = self._loaded()
        self._styles = self._loaded_styles()
        self._legs: dict[tuple[int, int], tuple[Leg, LegSpeaker, RingReader]] = {}  # by place and call
        self._offers = context.writer("samples")
        self._offered: dict[tuple[int, int], Floats] = {}
        self._offered_ns = 0  # 0: nothing is there that could be wiped
        self._tts = Vitals(context.memory.vitals("tts"))
        self._tts_ready_ns = self._tts.ready_ns
        self._problem = ""
        self._outdated: list[str] = []

    def turn(self) -> Iterator[SpeakerFound]:
        """Take in what was said, do what is due, and give out what is new."""
        has_changed = self._directory.refresh(self._context.beat)
        self._tell_problem()
        if has_changed:
            self._tell_outdated()
        self._follow()
        for leg, speaker, uplink in self._legs.values():
            if has_changed:
                speaker.consult()
            while frames := uplink.pop_many(FRAMES_AT_ONCE):
                for frame in frames:
                    if frame.timestamp == call_stamp(leg.call):
                        speaker.heard.feed(frame.payload)
            uplink.commit()
            speaker.look()
            self._context.beat()
            if found := speaker.news(leg):
                yield found
        self._offer()
        self._context.vitals.set("strange_legs", sum(speaker.is_strange for _, speaker, _ in self._legs.values()))

    def _follow(self) -> None:
        legs = {(leg.place, leg.call): leg for leg in self._context.roster().legs}
        for gone in self._legs.keys() - legs.keys():
            del self._legs[gone]
        for key, leg in legs.items():
            if key in self._legs:
                self._legs[key] = (leg, *self._legs[key][1:])
            else:
                self._legs[key] = leg, self._begin(leg), self._context.reader("speech", leg.place)

    def _begin(self, leg: Leg) -> LegSpeaker:
        config = self._context.config
        route = next((route for route in config.routes if route.number == leg.route), None)
        configured, is_allowed = (route.voice(leg.index), route.may_learn(leg.index)) if route else ("", False)
        encoders = self._encoder, self._styles
        speaker = LegSpeaker(leg, configured, is_allowed, config.voices, self._directory, *encoders, self._tell)
        speaker.consult()
        return speaker

    def _tell(self, event: HealthEvent) -> None:
        if event.status == "MISMATCH":
            self._context.vitals.add("voice_mismatches")
        self._context.journal(event)

    # --- temporary voices ---

    def _offer(self) -> None:
        """Give tts the speech that it may learn a voice of, take back what it shall forget, leave no trace."""
        if self._tts.ready_ns != self._tts_ready_ns:  # a new process has learned nothing
            self._tts_ready_ns = self._tts.ready_ns
            self._offered.clear()
        wanted = {key: each.reference for key, (_, each, _) in self._legs.items() if each.reference is not None}
        for key, reference in wanted.items():
            if self._offered.get(key) is not reference:
                self._push(key, (reference * FULL_SCALE).astype("<i2").tobytes())
        for gone in self._offered.keys() - wanted.keys():
            self._push(gone, b"")
        self._offered = wanted
        if self._offered_ns and not wanted and now_ns() - self._offered_ns > WIPED_AFTER_NS:
            self._wipe()

    def _push(self, key: tuple[int, int], pcm: bytes) -> None:
        place, call = key
        self._offered_ns = now_ns()
        whole = pcm[: len(pcm) // FRAME_BYTES * FRAME_BYTES]
        self._offers.push_many(whole or FORGET, place, self._offered_ns, call_stamp(call), START | END)

    def _wipe(self) -> None:
        """Nobody's speech stays in the ring after the call."""
        self._offered_ns = 0
        for _ in range(self._offers.slots // FRAMES_AT_ONCE):
            self._offers.push_many(bytes(FRAMES_AT_ONCE * FRAME_BYTES))

    # --- what is amiss ---

    def _loaded(self) -> Encoder | None:
        try:
            config = self._context.config
            return load_encoder(config.cache_dir, config.voices.ecapa_folder)
        except EngineError as error:
            self._context.log.error(f"nobody is identified by the voice: {error}")
            return None

    def _loaded_styles(self) -> Mapping[str, StyleEncoder]:
        try:
            return all_styles(self._context.config.voices.gst_folder)
        except EngineError as error:
            self._context.log.error(f"manners of speaking are told by prosody alone: {error}")
            return all_styles()

    def _tell_outdated(self) -> None:
        """Once for each voice: it is a matter for somebody's next visit."""
        if self._encoder is None:
            return
        found = self._directory.outdated(Models(self._encoder.model, self._styles.keys()))
        if new := set(found) - set(self._outdated):
            voices = f"{min(new)} was" if len(new) == 1 else f"{len(new)} voices on file were"
            action = f"{voices} enrolled with other models than those in use; see: dragoman voices list"
            self._context.journal(HealthEvent("voice", "OUTDATED", action, now_ns()))
        self._outdated = found

    def _tell_problem(self) -> None:
        problem = self._directory.problem
        if problem != self._problem:
            self._problem = problem
            status, action = ("DEGRADED", problem) if problem else ("RESTORED", "the store of voices can be used again")
            self._context.journal(HealthEvent("voice", status, action, now_ns()))
