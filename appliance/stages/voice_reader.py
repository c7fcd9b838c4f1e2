"""A thread that reads voices from their store and learns temporary ones, so that no clause waits for a disk."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from appliance.clock import now_ns
from appliance.config import VoicesConfig
from appliance.engines.protocols import ClonedVoice, EngineError, Samples, VoiceConditioner
from appliance.units import SAMPLE_RATE_HZ
from appliance.voices.directory import has_voices
from appliance.voices.errors import StoreUnusable, VoiceError, VoiceMissing
from appliance.voices.profile import Profile
from appliance.voices.store import VoiceStore

LOOKS_EVERY_S = 1.0  # by then, what was withdrawn is not spoken with any more

LegKey = tuple[int, int]  # place and call


@dataclass(frozen=True, slots=True)
class OnFile:
    """A voice as speaking needs it: `manners` fit engines whose conditioning is that of `model`."""

    model: str
    manners: tuple[ClonedVoice, ...]
    speed: float


class VoiceReader:
    """`known` holds what was last read of each voice that is wanted; it is replaced as a whole, so nobody waits.

    `learned` are temporary voices by leg and model. They are nowhere else, and go with their leg.
    """

    def __init__(self, config: VoicesConfig, conditioners: Mapping[str, VoiceConditioner]) -> None:
        self.known: Mapping[str, OnFile | VoiceError] = {}
        self.read_ns = now_ns()  # when `known` was read
        self.learned: dict[LegKey, dict[str, ClonedVoice]] = {}
        self.problems: list[EngineError] = []  # for the owner to take
        self._config = config
        self._conditioners = conditioners
        self._store: VoiceStore | None = None
        self._made: dict[str, tuple[Profile, OnFile]] = {}
        self._speakers: frozenset[str] = frozenset()
        self._legs: frozenset[LegKey] = frozenset()
        self._lessons: dict[LegKey, Samples] = {}  # the newest of each leg; it is one until it is taken back
        self._to_learn: list[LegKey] = []
        self._lock = threading.Lock()  # around the three before it and `learned`, never while anything is waited for
        self._news = threading.Event()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="voices", daemon=True)
        self._thread.start()

    def want(self, speakers: frozenset[str], legs: frozenset[LegKey]) -> None:
        """These voices are spoken with, and these legs are there; what was learned of any other one is forgotten."""
        with self._lock:
            self._legs = legs
            for gone in [key for key in self._lessons if key not in legs]:
                del self._lessons[gone]
                self.learned.pop(gone, None)
        if speakers != self._speakers:
            self._speakers = speakers
            self._news.set()

    def learn(self, leg: LegKey, samples: Samples) -> None:
        """Make a temporary voice of what somebody said, at 16 kHz; of nothing: forget the one there is."""
        with self._lock:
            self.learned.pop(leg, None)
            self._lessons.pop(leg, None)
            if len(samples) and self._conditioners and leg in self._legs:
                self._lessons[leg] = samples
                self._to_learn.append(leg)
        self._news.set()

    def close(self) -> None:
        """Tell the thread to end."""
        self._is_closed = True
        self._news.set()

    def _run(self) -> None:
        while not self._is_closed:
            self._news.clear()
            self._read()
            self._learn()
            self._news.wait(LOOKS_EVERY_S)
        if self._store:
            self._store.close()

    def _read(self) -> None:
        speakers = self._speakers
        known = {speaker: self._look_up(speaker) for speaker in speakers}
        self._made = {speaker: made for speaker, made in self._made.items() if speaker in speakers}
        try:
            if self._store:
                self._store.refresh()
        except StoreUnusable:
            self._reopen()
        self.known, self.read_ns = known, now_ns()

    def _look_up(self, speaker: str) -> OnFile | VoiceError:
        try:
            if self._store is None:
                if not has_voices(self._config.folder):
                    raise VoiceMissing(f"there is no voice {speaker!r}; see: dragoman voices list")
                self._store = VoiceStore(self._config.folder, self._config.key_file)
            profile = self._store.for_synthesis(speaker, datetime.now(UTC))
        except StoreUnusable as error:
            self._reopen()
            return error
        except VoiceError as error:
            return error
        before = self._made.get(speaker)
        if before is None or before[0] is not profile:
            self._made[speaker] = profile, _on_file(profile)
        return self._made[speaker][1]

    def _reopen(self) -> None:
        """The next look tries the store anew."""
        if self._store:
            self._store.close()
            self._store = None

    def _learn(self) -> None:
        """Learn one voice; the next one after another look at those on file."""
        with self._lock:
            if not self._to_learn:
                return
            leg = self._to_learn.pop(0)
            samples = self._lessons.get(leg)
            if self._to_learn:
                self._news.set()
        if samples is None:
            return
        for model, conditioner in self._conditioners.items():
            try:
                voice = conditioner.condition(f"learned-{leg[1]}-{leg[0]}", samples, SAMPLE_RATE_HZ)
            except EngineError as error:
                self.problems.append(error)
                continue
            with self._lock:
                # The call may be over meanwhile, or somebody else may have the phone.
                if self._lessons.get(leg) is samples:
                    self.learned.setdefault(leg, {})[model] = voice


def _on_file(profile: Profile) -> OnFile:
    manners = tuple(
        ClonedVoice(profile.speaker_id, one.latents.numbers(), one.speaker_embedding.numbers())
        for one in profile.synthesis
    )
    return OnFile(profile.synthesis_model, manners, profile.default_params.speed)
