"""Who may see and change voices over HTTP: the administrator, by password, and programs, by token.

What is kept is one small file that only its owner may read: hashes, never what they are of. Sessions are in memory:
after a restart everybody logs in again.
"""

import hashlib
import hmac
import os
import secrets
from collections import deque
from pathlib import Path

import msgspec

from appliance.clock import now_ns
from appliance.units import NS_PER_S

SESSION_S = 8 * 3600
LEAST_PASSWORD = 10
MOST_PASSWORD = 1000
_TRIES, _TRIES_S = 10, 60  # failed attempts to get in, of all people together
_SCRYPT = {"n": 1 << 15, "r": 8, "p": 1, "maxmem": 64 << 20}  # 32 MB and some 0.1 s for each try (RFC 7914)


class AccessDenied(Exception):  # noqa: N818
    """Not let in, or not now; `status` is HTTP's, the message one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Kept(msgspec.Struct, frozen=True):
    """What the file holds; empty where there is nothing yet."""

    secret: str = ""  # SHA-256 of the one-time secret
    salt: str = ""
    password: str = ""  # scrypt of the password
    token: str = ""  # SHA-256 of the token for programs


class Session(msgspec.Struct, frozen=True):
    """Somebody who is logged in: what their browser sends back as a cookie, and what their page sends along with it."""

    cookie: str
    csrf: str
    ends_ns: int


def new_secret(file: Path) -> str:
    """A secret for the first visit, in place of any before; empty once there is a password. Raises OSError."""
    kept = _read(file)
    if kept.password:
        return ""
    secret = "-".join(secrets.token_hex(2) for _ in range(4))
    _write(file, msgspec.structs.replace(kept, secret=_digest(secret)))
    return secret


class Access:
    """The doorkeeper of one process. Hashing takes long: call `set_password` and `log_in` in a thread."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._sessions: dict[str, Session] = {}
        self._failures_ns: deque[int] = deque(maxlen=_TRIES)

    @property
    def is_new(self) -> bool:
        """Nobody has set a password yet."""
        return not _read(self._file).password

    def set_password(self, secret: str, password: str) -> Session:
        """The first visit: the secret that `dragoman up` has printed sets the password, once. Raises AccessDenied."""
        kept = self._kept_unless_too_often()
        if kept.password:
            raise AccessDenied(409, "there is a password already; log in with it")
        if not LEAST_PASSWORD <= len(password) <= MOST_PASSWORD:
            raise AccessDenied(400, f"a password has {LEAST_PASSWORD} to {MOST_PASSWORD} characters")
        if not kept.secret or not hmac.compare_digest(kept.secret, _digest(secret.strip().lower())):
            self._fail("this is not the secret that dragoman up has printed last")
        salt = secrets.token_hex(16)
        _write(self._file, Kept(salt=salt, password=_scrypt(password, salt)))
        return self._new_session()

    def log_in(self, password: str) -> Session:
        """Raises AccessDenied."""
        kept = self._kept_unless_too_often()
        if not kept.password:
            raise AccessDenied(409, "there is no password yet; set one with the secret that dragoman up prints")
        if len(password) > MOST_PASSWORD or not hmac.compare_digest(kept.password, _scrypt(password, kept.salt)):
            self._fail("this is not the password")
        return self._new_session()

    def session(self, cookie: str) -> Session | None:
        """Whose cookie it is; None where nobody's, or no longer."""
        session = self._sessions.get(cookie)
        if session and session.ends_ns < now_ns():
            self.log_out(cookie)
            return None
        return session

    def log_out(self, cookie: str) -> None:
        """End a session. Idempotent."""
        self._sessions.pop(cookie, None)

    def new_token(self) -> str:
        """A token for programs, in place of the one before. It is told only now."""
        token = secrets.token_urlsafe(32)
        _write(self._file, msgspec.structs.replace(_read(self._file), token=_digest(token)))
        return token

    def is_token(self, token: str) -> bool:
        """Whether it is the token for programs."""
        kept = _read(self._file).token
        return bool(kept) and hmac.compare_digest(kept, _digest(token))

    def _kept_unless_too_often(self) -> Kept:
        oldest_ns = self._failures_ns[0] if len(self._failures_ns) == _TRIES else None
        if oldest_ns is not None and now_ns() - oldest_ns < _TRIES_S * NS_PER_S:
            raise AccessDenied(429, "too many failed attempts; wait a minute")
        return _read(self._file)

    def _fail(self, sentence: str) -> None:
        self._failures_ns.append(now_ns())
        raise AccessDenied(403, sentence)

    def _new_session(self) -> Session:
        ended = [cookie for cookie, one in self._sessions.items() if one.ends_ns < now_ns()]
        for cookie in ended:
            self.log_out(cookie)
        session = Session(secrets.token_urlsafe(32), secrets.token_urlsafe(32), now_ns() + SESSION_S * NS_PER_S)
        self._sessions[session.cookie] = session
        return session


def _read(file: Path) -> Kept:
    """Without a file, nothing is kept. A damaged one lets nobody in."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Kept)
    except FileNotFoundError:
        return Kept()
    except (OSError, msgspec.DecodeError) as error:
        raise AccessDenied(500, f"{file} cannot be read ({error}); correct or delete it") from None


def _write(file: Path, kept: Kept) -> None:
    """In one piece: whoever reads meanwhile gets the old or the new one."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(msgspec.json.encode(kept))
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)


def _digest(text: str) -> str:
    """For what is random and long: nobody guesses it from its hash."""
    return hashlib.sha256(text.encode()).hexdigest()


def _scrypt(password: str, salt: str) -> str:
    return hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), **_SCRYPT).hex()
