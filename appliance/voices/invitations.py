"""Invitations to enrol by telephone: a code of eight digits that stands for a name, once, for some days.

They are in the store of voices, sealed with the box's key; a code itself is kept nowhere.
"""

import secrets
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from appliance.voices.consent import Moment
from appliance.voices.environment import Environment, Transaction, keys_below
from appliance.voices.errors import VoiceError, VoiceMissing
from appliance.voices.phone_dialogue import CODE_DIGITS
from appliance.voices.profile import MAX_NUMBERS, Digits, Name
from appliance.voices.sealing import Unsealable, fingerprint, seal, unseal

GOOD_FOR_DAYS = 7
MOST = 100  # so that nobody hits upon one by chance
_INVITE = b"invite "


class Invitation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may enrol by telephone. `replaces`: the id of the voice that the new one comes in place of."""

    name: Name
    language: str  # of the prompts
    ends_at: Moment
    phone_numbers: Annotated[tuple[Digits, ...], Meta(max_length=MAX_NUMBERS)] = ()
    consent_ends_at: Moment | None = None
    replaces: str = ""


def readable(code: str) -> str:
    """A code as people read it: "1234 5678"."""
    return f"{code[:4]} {code[4:]}"


class Invitations:
    """All invitations of a box. Every method may raise StoreUnusable."""

    def __init__(self, environment: Environment, box_key: bytes) -> None:
        self._environment = environment
        self._box_key = box_key

    def add(self, invitation: Invitation, now: datetime) -> str:
        """Its code, told only now. Raises VoiceError when there are too many."""
        code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
        key = self._key(code)
        with self._environment.writing() as txn:
            self._tidy(txn, now)
            if len(list(keys_below(txn, _INVITE))) >= MOST:
                raise VoiceError(f"there are {MOST} invitations already; take some back: dragoman voices uninvite NAME")
            txn.put(key, seal(self._box_key, msgspec.msgpack.encode(invitation), key))
        return code

    def of(self, code: str, now: datetime) -> Invitation | None:
        """Who has that code; None: nobody, or no longer."""
        key = self._key(code)
        with self._environment.reading() as txn:
            found = self._opened(txn, key)
        return found if found and found.ends_at > now else None

    def all(self, now: datetime) -> list[Invitation]:
        """Those that are good now, the oldest end first."""
        return list(self.by_id(now).values())

    def by_id(self, now: datetime) -> dict[str, Invitation]:
        """The same, each under an id that tells nothing of its code."""
        with self._environment.reading() as txn:
            found = [(key, self._opened(txn, key)) for key in self._keys(txn)]
        good = [(key, one) for key, one in found if one and one.ends_at > now]
        return {_id(key): one for key, one in sorted(good, key=lambda pair: pair[1].ends_at)}

    def id_of(self, code: str) -> str:
        """The id that the invitation with this code has."""
        return _id(self._key(code))

    def used(self, code: str) -> None:
        """It has done its service. Idempotent."""
        with self._environment.writing() as txn:
            txn.delete(self._key(code))

    def take_back(self, name: str) -> int:
        """Forget all of this name; how many there were. Raises VoiceMissing where there is none."""
        with self._environment.writing() as txn:
            keys = self._keys(txn)
            found = [key for key in keys if (one := self._opened(txn, key)) and one.name.casefold() == name.casefold()]
            for key in found:
                txn.delete(key)
        if not found:
            raise VoiceMissing(f'nobody called "{name}" is invited; see: dragoman voices invitations')
        return len(found)

    def take_back_one(self, invitation_id: str) -> None:
        """Forget the one with this id. Raises VoiceMissing where there is none."""
        with self._environment.writing() as txn:
            found = [key for key in self._keys(txn) if _id(key) == invitation_id]
            for key in found:
                txn.delete(key)
        if not found:
            raise VoiceMissing(f"there is no invitation {invitation_id} any more: it was used, taken back or has ended")

    def _tidy(self, txn: Transaction, now: datetime) -> None:
        """Forget what has ended, and what cannot be read."""
        for key in self._keys(txn):
            one = self._opened(txn, key)
            if one is None or one.ends_at <= now:
                txn.delete(key)

    def _keys(self, txn: Transaction) -> list[bytes]:
        return [_INVITE + key for key in keys_below(txn, _INVITE)]

    def _opened(self, txn: Transaction, key: bytes) -> Invitation | None:
        try:
            return msgspec.msgpack.decode(unseal(self._box_key, txn.get(key, b""), key), type=Invitation)
        except (Unsealable, msgspec.DecodeError):
            return None

    def _key(self, code: str) -> bytes:
        return _INVITE + fingerprint(self._box_key, _INVITE + code.encode())


def _id(key: bytes) -> str:
    """Its key in the store, which is a keyed hash already."""
    return f"i-{key.removeprefix(_INVITE)[:6].hex()}"
