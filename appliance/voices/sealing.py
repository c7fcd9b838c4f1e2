"""Keys and seals: the box's own key, a key for each profile wrapped by it, AES-256-GCM for both."""

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from appliance.voices.errors import StoreUnusable

KEY_BYTES = 32
NONCE_BYTES = 12  # NIST SP 800-38D, section 8.2.2: random, so at most 2**32 with one key
TAG_BYTES = 16
WRAPPED_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES


class Unsealable(Exception):  # noqa: N818
    """The content was changed, or the key is another one."""


def new_key() -> bytes:
    """A key for one profile."""
    return secrets.token_bytes(KEY_BYTES)


def seal(key: bytes, content: bytes, context: bytes) -> bytes:
    """Encrypt `content`: nonce, ciphertext, tag. `context` is bound to it, and needed to unseal."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, context)


def unseal(key: bytes, sealed: bytes | memoryview, context: bytes) -> bytes:
    """What was sealed. Raises Unsealable."""
    if len(sealed) < NONCE_BYTES + TAG_BYTES:
        raise Unsealable
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)
    except InvalidTag:
        raise Unsealable from None


def fingerprint(key: bytes, of: bytes) -> bytes:
    """32 bytes that stand for `of`, and tell nothing of it to whoever lacks the key."""
    return hmac.digest(key, of, hashlib.sha256)


def box_key(path: Path, may_create: bool) -> bytes:
    """Read the box's key, 32 bytes that only its owner may read; made on first use if `may_create`.

    Raises StoreUnusable when it is missing, has the wrong size or is open to others.
    """
    try:
        if may_create and not path.exists():
            _create_key(path)
        return _read_key(path)
    except FileNotFoundError:
        raise StoreUnusable(
            f"the box's key {path} is missing, and without it no voice can be read; bring it back from your backup"
        ) from None
    except OSError as error:
        raise StoreUnusable(f"the box's key {path} cannot be used: {error.strerror}") from None


def _read_key(path: Path) -> bytes:
    with path.open("rb") as file:
        key, mode = file.read(KEY_BYTES + 1), os.fstat(file.fileno()).st_mode
    if mode & 0o077:
        raise StoreUnusable(f"the box's key {path} is open to other users; close it: chmod 600 {path}")
    if len(key) != KEY_BYTES:
        raise StoreUnusable(f"the box's key {path} is not {KEY_BYTES} bytes long; bring it back from your backup")
    return key


def _create_key(path: Path) -> None:
    """Complete and on the disk before it bears its name; whoever comes second takes the first one's."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(new_key())
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make sure that the names in `folder` outlive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
