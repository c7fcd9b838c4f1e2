"""The voices that were used last, decrypted, in this process's memory."""

from collections import OrderedDict
from threading import Lock
from typing import NamedTuple

from appliance.voices.profile import Profile


class Kept(NamedTuple):
    """A profile, the stamp of the record it came from, and the change of the store at which that was still so."""

    profile: Profile
    stamp: bytes
    change: int


class VoiceCache:
    """At most `size` profiles; the one not asked for longest goes first. For several threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._lock = Lock()

    def get(self, speaker_id: str) -> Kept | None:
        """What is kept of a voice."""
        with self._lock:
            if speaker_id in self._kept:
                self._kept.move_to_end(speaker_id)
            return self._kept.get(speaker_id)

    def put(self, speaker_id: str, kept: Kept) -> None:
        """Keep it, and forget the oldest where there are too many."""
        with self._lock:
            self._kept[speaker_id] = kept
            self._kept.move_to_end(speaker_id)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)

    def forget(self, speaker_id: str) -> None:
        """Drop it, if it is there."""
        with self._lock:
            self._kept.pop(speaker_id, None)

    def stamps(self) -> dict[str, bytes]:
        """Which records the kept profiles came from."""
        with self._lock:
            return {speaker_id: kept.stamp for speaker_id, kept in self._kept.items()}
