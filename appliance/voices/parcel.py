"""A voice as one file, to carry to another box: sealed with a passphrase (scrypt, AES-256-GCM).

8 bytes   "DRGVOICE"
1, 1, 1   format 1; scrypt's log2(n); r          (p is 1; RFC 7914)
16        salt
the rest  nonce, ciphertext, tag; all before is bound to it
"""

import os
import secrets
import struct
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from appliance.voices.errors import VoiceError
from appliance.voices.migrations import decode, encode
from appliance.voices.profile import MAX_PROFILE_BYTES, Profile
from appliance.voices.sealing import KEY_BYTES, NONCE_BYTES, TAG_BYTES, Unsealable, seal, unseal

MAGIC = b"DRGVOICE"
FORMAT = 1
LEAST_PASSPHRASE = 8
_HEADER = struct.Struct(">8sBBB16s")
_LOG_N, _R = 16, 8  # 64 MB and some 0.2 s for each try
_MOST_LOG_N, _MOST_R = 18, 8  # a forged file shall not take all the memory there is: 256 MB at most
_MAX_BYTES = _HEADER.size + NONCE_BYTES + MAX_PROFILE_BYTES + TAG_BYTES


def pack(profile: Profile, passphrase: str) -> bytes:
    """The file's content. Raises VoiceError for a passphrase that is too short."""
    if len(passphrase) < LEAST_PASSPHRASE:
        raise VoiceError(f"the passphrase is too short; take at least {LEAST_PASSPHRASE} characters")
    header = _HEADER.pack(MAGIC, FORMAT, _LOG_N, _R, secrets.token_bytes(16))
    return header + seal(_key(passphrase, header), encode(profile), header)


def unpack(content: bytes, passphrase: str, what: str) -> Profile:
    """The profile in a file called `what`. Raises VoiceError, whatever the content."""
    header = content[: _HEADER.size]
    if len(header) < _HEADER.size or not header.startswith(MAGIC):
        raise VoiceError(f"{what} is not an exported voice")
    _, form, log_n, r, _ = _HEADER.unpack(header)
    if form != FORMAT or not (1 <= log_n <= _MOST_LOG_N and 1 <= r <= _MOST_R):
        raise VoiceError(f"{what} was exported by a version of Dragoman that this one does not know; update this one")
    try:
        return decode(unseal(_key(passphrase, header), content[_HEADER.size :], header), what)
    except Unsealable:
        raise VoiceError(f"{what} cannot be opened: the passphrase is another one, or the file is damaged") from None


def write(profile: Profile, path: Path, passphrase: str) -> None:
    """Export to a new file, which only its owner may read. Raises VoiceError."""
    content = pack(profile, passphrase)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise VoiceError(f"{path} is there already; name another file") from None
    except OSError as error:
        raise VoiceError(f"{path} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        with suppress(OSError):
            path.unlink()  # half a voice is none
        raise VoiceError(f"{path} cannot be written: {error.strerror}") from None


def read(path: Path, passphrase: str) -> Profile:
    """The profile in an exported file. Raises VoiceError."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise VoiceError(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > _MAX_BYTES:
        raise VoiceError(f"{path} is too long for an exported voice")
    return unpack(content, passphrase, path.name)


def _key(passphrase: str, header: bytes) -> bytes:
    _, _, log_n, r, salt = _HEADER.unpack(header)
    return Scrypt(salt=salt, length=KEY_BYTES, n=1 << log_n, r=r, p=1).derive(passphrase.encode())
