"""Getting a model from where its operator says: each file goes on where it broke off, and has to be the listed one."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from appliance.engines.protocols import EngineError
from appliance.xtts.folder import COMMON, CONVERTED, LICENCE, PUBLISHED, SUMS, parse_sums, read_sums, sha256, write_sums

PATIENCE_S = 30.0
BLOCK_BYTES = 1 << 20
_KNOWN = (*COMMON, *PUBLISHED, *CONVERTED)
_SMALL_BYTES = 1 << 20

Progress = Callable[[str, int, int], None]  # file, bytes that are there, bytes in all (0: not known)


def wanted_sums(base: str, sums_file: Path | None) -> dict[str, str]:
    """Which files of a model there are at the address `base`, and their sums; from `sums_file` where that is given.

    Raises EngineError: without sums there would be no telling whether the right files came.
    """
    if sums_file is None:
        source = _address(base, SUMS)
        sums = parse_sums(_small(source).decode("ascii", "replace"), source)
    else:
        source = str(sums_file)
        sums = read_sums(sums_file)
    wanted = {name: digest for name, digest in sums.items() if name in (*_KNOWN, LICENCE)}
    forms = [set(COMMON) | set(form) for form in (PUBLISHED, CONVERTED)]
    if not any(form <= wanted.keys() for form in forms):
        raise EngineError(
            f"{source} does not list a model's files ({', '.join(sorted(forms[0]))}); make it beside them"
        )
    return wanted


def fetch_licence(base: str, folder: Path, sums: Mapping[str, str]) -> None:
    """Get the licence's text alone, unless it is there: it is accepted before the weights come. Raises EngineError."""
    if not (folder / LICENCE).exists():
        fetch_file(base, folder, LICENCE, sums.get(LICENCE, ""))


def fetch(base: str, folder: Path, sums: Mapping[str, str], progress: Progress) -> None:
    """Get every file of `sums` that is not there already, then write their list. Raises EngineError."""
    for name, digest in sums.items():
        if not (folder / name).exists() or sha256(folder / name) != digest:
            fetch_file(base, folder, name, digest, progress)
    with _sentences(folder):
        write_sums(folder / SUMS, sums)


def fetch_file(base: str, folder: Path, name: str, digest: str, progress: Progress = lambda *_: None) -> None:
    """Get one file; what came of it before is kept and continued. `digest` "": any. Raises EngineError."""
    part = folder / f"{name}.part"
    address = _address(base, name)
    with _sentences(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as file:
            _continue(address, file, lambda here, whole: progress(name, here, whole))
        found = sha256(part)
        if digest and found != digest:
            part.unlink()
            raise EngineError(
                f"{address} is another file than the one listed (its SHA-256 is {found[:12]}…); nothing is kept"
            )
        part.replace(folder / name)


def _continue(address: str, file: BinaryIO, progress: Callable[[int, int], None]) -> None:
    here = file.tell()
    request = urllib.request.Request(address, headers={"Range": f"bytes={here}-"} if here else {})
    try:
        with _opened(request) as answer:
            if answer.status != http.HTTPStatus.PARTIAL_CONTENT and here:  # it does not know how to continue
                file.truncate(0)
                here = 0
            whole = here + int(answer.headers.get("Content-Length") or 0)
            while block := answer.read(BLOCK_BYTES):
                file.write(block)
                here += len(block)
                progress(here, whole)
            if here < whole:
                raise EngineError(f"{address} broke off after {here} of {whole} bytes; run the same again to go on")
    except _Complete:
        return
    except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise EngineError(
            f"{address} broke off after {here} bytes ({_reason(error)}); run the same again to go on"
        ) from None


class _Complete(Exception):  # noqa: N818
    """Nothing is left to come: 416, Range Not Satisfiable (RFC 9110, 15.5.17)."""


@contextmanager
def _opened(request: urllib.request.Request) -> Iterator[http.client.HTTPResponse]:
    try:
        answer = urllib.request.urlopen(request, timeout=PATIENCE_S)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise _Complete from None
        raise EngineError(
            f"{request.full_url} cannot be had: {error.code} {error.reason}; correct the address"
        ) from None
    except urllib.error.URLError as error:
        raise EngineError(f"{request.full_url} cannot be reached ({_reason(error)}); correct the address") from None
    with answer:
        yield answer


def _small(address: str) -> bytes:
    try:
        with _opened(urllib.request.Request(address)) as answer:
            return answer.read(_SMALL_BYTES)
    except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise EngineError(f"{address} broke off ({_reason(error)}); try again") from None


def _address(base: str, name: str) -> str:
    if not base.startswith(("https://", "http://")):
        raise EngineError(f'"{base}" is no address to fetch from; begin it with https://')
    return f"{base.rstrip('/')}/{name}"


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    return str(getattr(reason, "strerror", None) or reason) or type(error).__name__


@contextmanager
def _sentences(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EngineError(f"the model cannot be written to {folder}: {error.strerror or error}") from None
