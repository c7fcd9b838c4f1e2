"""A profile as bytes, and older versions of the schema brought up to date as they are read."""

from collections.abc import Callable
from typing import Any

import msgspec

from appliance.voices.errors import VoiceDamaged
from appliance.voices.profile import MAX_PROFILE_BYTES, VERSION, Profile

Fields = dict[str, Any]


def encode(profile: Profile) -> bytes:
    """MessagePack, at most MAX_PROFILE_BYTES. Raises ValueError when a field breaks its bounds or all is too long."""
    content = msgspec.msgpack.encode(profile)
    if len(content) > MAX_PROFILE_BYTES:
        raise ValueError(f"a profile has at most {MAX_PROFILE_BYTES} bytes, not {len(content)}")
    msgspec.msgpack.decode(content, type=Profile)  # structs check their fields when read, not when made
    return content


def decode(content: bytes, what: str) -> Profile:
    """The profile in `content`, of this version or an older one. Raises VoiceDamaged, which calls it `what`."""
    try:
        return _decode(content, what)
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, RecursionError) as error:
        raise VoiceDamaged(f"{what} is not a voice profile ({error})") from None


def _decode(content: bytes, what: str) -> Profile:
    version = msgspec.msgpack.decode(content, type=_Versioned).version
    if version > VERSION:
        raise VoiceDamaged(f"{what} was written by a newer Dragoman (version {version}); update this one first")
    if version == VERSION:
        return msgspec.msgpack.decode(content, type=Profile)
    fields = msgspec.msgpack.decode(content)
    while (version := fields["version"]) in MIGRATIONS:
        fields = {**MIGRATIONS[version](fields), "version": version + 1}
    return msgspec.convert(fields, Profile)


class _Versioned(msgspec.Struct):
    version: int


def _from_1(fields: Fields) -> Fields:
    """Version 1 had vectors only: no name, no consent (so nobody may use it yet), nothing for synthesis."""
    return {"name": fields["speaker_id"], **fields}


MIGRATIONS: dict[int, Callable[[Fields], Fields]] = {1: _from_1}
