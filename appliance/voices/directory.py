"""What has to be known of all voices on file to find one among them: names, identities, manners; no more of each."""

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from appliance.voices.arrays import Floats
from appliance.voices.consent import Consent, standing
from appliance.voices.errors import StoreUnusable, VoiceError
from appliance.voices.identity import likeness, mean_voice
from appliance.voices.outdated import Models, is_lost
from appliance.voices.profile import Profile
from appliance.voices.store import VoiceStore


class Entry(NamedTuple):
    """One voice: `identity` (width of its `model`,) of length 1, `centres` (64,) each."""

    name: str
    model: str
    identity: Floats
    style_model: str
    centres: tuple[Floats, ...]
    consent: Consent | None


class Directory:
    """The voices in `folder`, as they were at the last `refresh`. Nothing is made there: no folder, no voices."""

    def __init__(self, folder: Path, key_file: Path) -> None:
        self.problem = ""  # why the store cannot be used just now, in a sentence
        self._folder = folder
        self._key_file = key_file
        self._store: VoiceStore | None = None
        self._change = -1
        self._stamps: dict[str, bytes] = {}
        self._entries: dict[str, Entry] = {}

    def refresh(self, progress: Callable[[], None] = lambda: None) -> bool:
        """Read what has changed since; returns whether anything has. `progress` is called for every voice read."""
        try:
            if self._store is None and has_voices(self._folder):
                self._store = VoiceStore(self._folder, self._key_file, cached_voices=1)
            if self._store is None or self._store.last_change == self._change:
                return False
            self._change = self._store.last_change  # first: what changes meanwhile is looked at the next time
            self._read(self._store, progress)
        except VoiceError as error:
            self.problem = str(error)
            return False
        self.problem = ""
        return True

    def id_of(self, voice: str) -> str:
        """The id of the voice that a route names by its id or its name; what nobody knows stays as it is."""
        if voice in self._stamps:
            return voice
        wanted = voice.casefold()
        found = [speaker for speaker, entry in self._entries.items() if entry.name.casefold() == wanted]
        return found[0] if len(found) == 1 else voice

    def by_number(self, numbers: Iterable[str]) -> str | None:
        """Whose voice the first of these numbers selects that selects any."""
        if self._store is None:
            return None
        try:
            return next((found for number in numbers if (found := self._store.speaker_of(number))), None)
        except StoreUnusable as error:
            self.problem = str(error)
            return None

    def likenesses(self, voice: Floats, model: str, now: datetime) -> dict[str, float]:
        """How alike `voice`, (width,) of length 1, is to each voice of that model that may be used at `now`."""
        return {
            speaker: likeness(voice, entry.identity)
            for speaker, entry in self._entries.items()
            if (entry.model, len(entry.identity)) == (model, len(voice)) and standing(entry.consent, now) == "given"
        }

    def get(self, speaker: str) -> Entry | None:
        """What is known of one voice; None where it is not there, or damaged."""
        return self._entries.get(speaker)

    def outdated(self, models: Models) -> list[str]:
        """The ids of voices that other models were used for, and that therefore lack something (outdated.py)."""
        return [
            speaker
            for speaker, entry in self._entries.items()
            if entry.model != models.identity or is_lost(entry.style_model, len(entry.centres), models)
        ]

    def close(self) -> None:
        """End it. Idempotent."""
        if self._store:
            self._store.close()
            self._store = None

    def _read(self, store: VoiceStore, progress: Callable[[], None]) -> None:
        stamps = store.stamps()
        for speaker in self._stamps.keys() - stamps.keys():
            self._entries.pop(speaker, None)
        for speaker in [speaker for speaker, stamp in stamps.items() if self._stamps.get(speaker) != stamp]:
            progress()
            self._entries.pop(speaker, None)
            try:
                self._entries[speaker] = _entry(store.get(speaker))
            except StoreUnusable:
                raise
            except VoiceError:
                continue  # whoever wants to speak with it says so
        self._stamps = stamps


def has_voices(folder: Path) -> bool:
    """Whether a store of voices was ever made there."""
    return (folder / "data.mdb").exists()


def _entry(profile: Profile) -> Entry:
    identity = profile.identity
    centres = tuple(cluster.style.numbers() for cluster in profile.synthesis)
    consent = replace(profile.consent, recording=b"") if profile.consent else None
    direction = mean_voice(identity.numbers()[None])
    return Entry(profile.name, identity.model, direction, profile.style.model, centres, consent)
