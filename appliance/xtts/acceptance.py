"""Who accepted the licence of XTTS v2's weights, when, and which text: it forbids commercial use, so somebody has to.

The text itself is never ours: it is the file LICENSE.txt that comes with the model.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from appliance.engines.protocols import EngineError, EngineRefused
from appliance.xtts.folder import LICENCE

LICENCE_NAME = "Coqui Public Model License (CPML), which forbids commercial use"


class Acceptance(msgspec.Struct, frozen=True):
    """Somebody accepted the text with this SHA-256, which they read in the file `text`."""

    by: Annotated[str, Meta(min_length=1, max_length=200)]
    at: datetime
    licence: str
    text: str
    text_sha256: str


class _Record(msgspec.Struct, frozen=True):
    accepted: tuple[Acceptance, ...] = ()


@dataclass(frozen=True, slots=True)
class LicenceText:
    """The licence as it lies in a model's folder."""

    path: Path
    sha256: str


def licence_text(folder: Path) -> LicenceText:
    """The text in the model's `folder`. Raises EngineRefused where there is none: nothing could be accepted then."""
    path = folder / LICENCE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EngineRefused(
            f"the licence's text {path} cannot be read ({error.strerror}); put the file there that is published with it"
        ) from None
    if not content.strip():
        raise EngineRefused(f"the licence's text {path} is empty; put the file there that is published with the model")
    return LicenceText(path, hashlib.sha256(content).hexdigest())


def acceptance_of(text: LicenceText, file: Path) -> Acceptance | None:
    """The newest acceptance of exactly this text in the record `file`. Raises EngineError for a broken record."""
    return next((one for one in reversed(_read(file).accepted) if one.text_sha256 == text.sha256), None)


def accept(text: LicenceText, by: str, now: datetime, file: Path) -> Acceptance:
    """Record that `by` accepts `text`; what was recorded before stays. Raises EngineError."""
    if not by.strip() or len(by) > 200:
        raise EngineError("who accepts a licence needs a name of 1 to 200 characters; give it with --by")
    one = Acceptance(by.strip(), now, LICENCE_NAME, str(text.path), text.sha256)
    record = _Record((*_read(file).accepted, one))
    fresh = file.with_name(f".{file.name}.new")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(record)))
        fresh.replace(file)
    except OSError as error:
        raise EngineError(f"the acceptance cannot be written to {file}: {error.strerror}") from None
    return one


def require_acceptance(folder: Path, file: Path) -> Acceptance:
    """Who accepted the licence that lies in the model's `folder`. Raises EngineRefused where nobody has."""
    text = licence_text(folder)
    if one := acceptance_of(text, file):
        return one
    raise EngineRefused(
        f"nobody has accepted the licence of XTTS v2's weights ({LICENCE_NAME}); "
        f"read {text.path}, then run: dragoman models accept"
    )


def _read(file: Path) -> _Record:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Record)
    except FileNotFoundError:
        return _Record()
    except OSError as error:
        raise EngineError(f"the record of accepted licences {file} cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EngineError(f"the record of accepted licences {file} is damaged ({error}); move it away") from None
