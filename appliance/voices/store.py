"""The store of voices: LMDB on the disk, every profile under a key of its own, those used last in memory.

Any process may read and write; readers wait for nobody. A process opens it once, after it was started, never across a
fork. What `put`, `edit` and `delete` have returned from outlives kill -9 and power failure.

    voice SPEAKER_ID              format, slot of the key, sealed MessagePack
    phone FINGERPRINT             SPEAKER_ID
    invite FINGERPRINT            sealed MessagePack: invitations.py
    free slot N, doomed slot N    slots of the key file that can be used, and that must be overwritten first
    about key, about slots        fingerprint of the box's key; how many slots there are
"""

import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from appliance.voices.cache import Kept, VoiceCache
from appliance.voices.consent import standing
from appliance.voices.environment import MAP_BYTES, Environment, Transaction, keys_below
from appliance.voices.errors import ConsentLacking, StoreUnusable, VoiceDamaged, VoiceError, VoiceMissing
from appliance.voices.invitations import Invitations
from appliance.voices.key_slots import KeySlots
from appliance.voices.migrations import decode, encode
from appliance.voices.profile import Profile
from appliance.voices.read_ahead import read_ahead
from appliance.voices.sealing import NONCE_BYTES, Unsealable, box_key, fingerprint, new_key, seal, unseal

SPEAKER_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
CACHED_VOICES = 64
RECORD_FORMAT = 1
_HEADER = struct.Struct(">BI")  # format, slot
_STAMP_BYTES = _HEADER.size + NONCE_BYTES  # a record's first bytes: no two records ever have the same
_ATTEMPTS = 5
_VOICE, _PHONE, _ABOUT_KEY = b"voice ", b"phone ", b"about key"

_LACKING = {
    "none": "the voice of {name} has no consent on file, so it is not used; enrol it again with --consent-by",
    "expired": "the consent of {name} has expired, so the voice is not used; ask again, then enrol it again",
    "withdrawn": "{name} has withdrawn consent, so the voice is not used; delete it",
}


class VoiceStore:
    """All voices of a box. Every method may raise StoreUnusable."""

    def __init__(
        self, folder: Path, key_file: Path, cached_voices: int = CACHED_VOICES, map_bytes: int = MAP_BYTES
    ) -> None:
        """Open the store in `folder`; it and the box's key are made on first use."""
        self._environment = Environment(folder, map_bytes)
        self._cache = VoiceCache(cached_voices)
        try:
            self._box_key = self._open_key(key_file)
            self._slots = self._open_slots()
            self.invitations = Invitations(self._environment, self._box_key)
        except VoiceError:
            self._environment.close()
            raise

    def _open_key(self, key_file: Path) -> bytes:
        """The box's key, if it is the one that the voices here were stored with."""
        with self._environment.reading() as txn:
            known = bytes(txn.get(_ABOUT_KEY, b""))
        key = box_key(key_file, may_create=not known)
        mark = fingerprint(key, b"the box's key")
        if known not in (b"", mark):
            raise StoreUnusable(
                f"the box's key {key_file} is not the one of the voices in {self._environment.folder}; "
                "bring the right one back from your backup"
            )
        if not known:
            with self._environment.writing() as txn:
                txn.put(_ABOUT_KEY, mark)
        return key

    def _open_slots(self) -> KeySlots:
        path = self._environment.folder / "keys"
        try:
            return KeySlots(path, self._environment)
        except OSError as error:
            raise StoreUnusable(f"the keys of the voices {path} cannot be used: {error.strerror}") from None

    # Reading

    def get(self, speaker_id: str) -> Profile:
        """A profile, whatever its consent. Raises VoiceMissing, VoiceDamaged."""
        kept = self._cache.get(speaker_id)
        if kept is not None and kept.change == self._environment.last_change:
            return kept.profile
        return self._fetch(speaker_id, kept)

    def for_synthesis(self, speaker_id: str, now: datetime) -> Profile:
        """A profile that may be spoken with at `now`. Raises ConsentLacking, VoiceMissing, VoiceDamaged."""
        profile = self.get(speaker_id)
        if (state := standing(profile.consent, now)) != "given":
            raise ConsentLacking(_LACKING[state].format(name=profile.name))
        return profile

    def speaker_of(self, number: str) -> str | None:
        """Whose voice a phone number selects; `number` as `profile.dialled` makes it."""
        with self._environment.reading() as txn:
            found = txn.get(self._phone_key(number))
            return None if found is None else bytes(found).decode()

    def ids(self) -> list[str]:
        """The ids of all voices, in order."""
        with self._environment.reading() as txn:
            return [key.decode() for key in keys_below(txn, _VOICE)]

    @property
    def last_change(self) -> int:
        """Another number after each change by anybody. Costs a microsecond."""
        return self._environment.last_change

    def stamps(self) -> dict[str, bytes]:
        """Every voice with a stamp that no two records have in common: what another one says has to be read again."""
        with self._environment.reading() as txn:
            keys = keys_below(txn, _VOICE)
            return {key.decode(): bytes(txn.get(_VOICE + key, b"")[:_STAMP_BYTES]) for key in keys}

    def survey(self) -> Iterator[Profile | VoiceError]:
        """Every voice, or what is wrong with it. Does not disturb the cache."""
        for speaker_id in self.ids():
            try:
                yield self._read(speaker_id, None).profile
            except VoiceMissing:
                continue  # deleted meanwhile
            except VoiceDamaged as error:
                yield error

    def called(self, name: str) -> list[Profile]:
        """The voices with this name, in capitals or not."""
        wanted = name.casefold()
        return [one for one in self.survey() if isinstance(one, Profile) and one.name.casefold() == wanted]

    def refresh(self) -> None:
        """Forget what has been changed or deleted by others. Call it now and then: deleted means gone from memory."""
        stamps = self._cache.stamps()
        with self._environment.reading() as txn:
            for speaker_id, stamp in stamps.items():
                record = txn.get(_voice_key(speaker_id), b"")
                if record[:_STAMP_BYTES] != stamp:
                    self._cache.forget(speaker_id)

    def _fetch(self, speaker_id: str, kept: Kept | None) -> Profile:
        try:
            kept = self._read(speaker_id, kept)
        except VoiceError:
            self._cache.forget(speaker_id)
            raise
        self._cache.put(speaker_id, kept)
        return kept.profile

    def _read(self, speaker_id: str, kept: Kept | None) -> Kept:
        """Read and decrypt a record, unless `kept` came from it."""
        if not SPEAKER_ID.fullmatch(speaker_id):
            raise VoiceMissing(f"there is no voice {speaker_id!r}; see: dragoman voices list")
        failed = b""
        for _ in range(_ATTEMPTS):
            with self._environment.reading() as txn:
                record = self._record(txn, speaker_id)
                stamp = bytes(record[:_STAMP_BYTES])
                if kept is not None and kept.stamp == stamp:
                    return Kept(kept.profile, stamp, txn.id())
                try:
                    return Kept(self._opened(speaker_id, record), stamp, txn.id())
                except Unsealable:
                    if stamp == failed:
                        break
                    failed = stamp  # its key may just have been replaced: look again
        raise _damaged(speaker_id)

    def _record(self, txn: Transaction, speaker_id: str) -> memoryview:
        with txn.cursor() as cursor:
            if not cursor.set_key(_voice_key(speaker_id)):
                raise VoiceMissing(f"there is no voice {speaker_id}; see: dragoman voices list")
            read_ahead(cursor.key())
            return cursor.value()

    def _opened(self, speaker_id: str, record: memoryview) -> Profile:
        """Decrypt a record. Raises Unsealable, VoiceDamaged."""
        if len(record) < _STAMP_BYTES:
            raise Unsealable
        form, slot = _HEADER.unpack_from(record)
        if form != RECORD_FORMAT:
            raise VoiceDamaged(f"the voice {speaker_id} is in format {form}, which this version does not know")
        key = unseal(self._box_key, self._slots.read(slot), _key_context(speaker_id, slot))
        content = unseal(key, record[_HEADER.size :], _record_context(speaker_id))
        return decode(content, f"the voice {speaker_id}")

    # Writing

    def put(self, *profiles: Profile) -> None:
        """Store profiles, new or in place of those with the same ids: all or, when one cannot be stored, none.

        Raises VoiceError when a phone number selects another voice already, ValueError for fields out of bounds.
        """
        with self._changing() as txn:
            for profile in profiles:
                self._put(txn, profile)

    def edit(self, speaker_id: str, change: Callable[[Profile], Profile]) -> Profile:
        """Replace a profile by what `change` makes of it; nobody can come in between. Raises VoiceError."""
        with self._changing() as txn:
            profile = change(self._opened_or_damaged(speaker_id, self._record(txn, speaker_id)))
            self._put(txn, profile)
        return profile

    def delete(self, speaker_id: str) -> None:
        """Remove a voice and destroy its key: when this returns, no copy of the record can be read any more.

        Also what is damaged can be deleted. Raises VoiceMissing.
        """
        with self._changing() as txn:
            self._doom_key(txn, self._record(txn, speaker_id))
            txn.delete(_voice_key(speaker_id))
            self._forget_numbers(txn, speaker_id)
        self._cache.forget(speaker_id)

    def tidy(self) -> None:
        """Destroy the keys of what was deleted or replaced: what every change ends with, unless it was killed."""
        with self._environment.writing() as txn:
            self._slots.destroy_doomed(txn)

    def close(self) -> None:
        """End it. Idempotent."""
        self._environment.close()
        self._slots.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _changing(self) -> Iterator[Transaction]:
        """A write transaction, keys first; then the keys that nothing refers to any more are destroyed."""
        with self._environment.writing() as txn:
            yield txn
            self._slots.sync()
        self.tidy()

    def _doom_key(self, txn: Transaction, record: memoryview) -> None:
        if len(record) >= _HEADER.size:
            _, slot = _HEADER.unpack_from(record)
            self._slots.doom(txn, slot)

    def _put(self, txn: Transaction, profile: Profile) -> None:
        speaker_id, content = profile.speaker_id, encode(profile)
        key = _voice_key(speaker_id)
        if (old := txn.get(key)) is not None:
            self._doom_key(txn, old)
            self._forget_numbers(txn, speaker_id)
        slot, profile_key = self._slots.take(txn), new_key()
        self._slots.write(slot, seal(self._box_key, profile_key, _key_context(speaker_id, slot)))
        record = _HEADER.pack(RECORD_FORMAT, slot) + seal(profile_key, content, _record_context(speaker_id))
        txn.put(key, record)
        for number in profile.phone_numbers:
            self._claim_number(txn, number, speaker_id)

    def _opened_or_damaged(self, speaker_id: str, record: memoryview) -> Profile:
        try:
            return self._opened(speaker_id, record)
        except Unsealable:
            raise _damaged(speaker_id) from None

    def _claim_number(self, txn: Transaction, number: str, speaker_id: str) -> None:
        key = self._phone_key(number)
        owner = bytes(txn.get(key, b"")).decode()
        if owner not in ("", speaker_id):
            raise VoiceError(f"the phone number {number} selects the voice {owner} already; take it away there first")
        txn.put(key, speaker_id.encode())

    def _forget_numbers(self, txn: Transaction, speaker_id: str) -> None:
        """By a search, so that it works for a damaged record, too."""
        for number in keys_below(txn, _PHONE):
            if txn.get(_PHONE + number, b"") == speaker_id.encode():
                txn.delete(_PHONE + number)

    def _phone_key(self, number: str) -> bytes:
        return _PHONE + fingerprint(self._box_key, _PHONE + number.encode())


def _voice_key(speaker_id: str) -> bytes:
    return _VOICE + speaker_id.encode()


def _key_context(speaker_id: str, slot: int) -> bytes:
    """Bound to its place: a key that was moved to another slot or voice does not open anything."""
    return f"key {slot} {speaker_id}".encode()


def _record_context(speaker_id: str) -> bytes:
    return f"voice {speaker_id}".encode()


def _damaged(speaker_id: str) -> VoiceDamaged:
    return VoiceDamaged(f"the voice {speaker_id} is damaged; delete it, then import or enrol it again")
