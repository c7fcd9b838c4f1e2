"""A model's folder on disk: which files are in it, and the list of their SHA-256 sums, as sha256sum has them.

Two forms are known. Published: model.pth and speakers_xtts.pth, which are pickles. Converted: model.safetensors and
speakers.safetensors, which hold numbers only. Nothing here writes into a folder that is being used.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from appliance.engines.protocols import EngineError

SUMS = "SHA256SUMS"
LICENCE = "LICENSE.txt"
COMMON = ("config.json", "vocab.json")
PUBLISHED = ("model.pth", "speakers_xtts.pth")
CONVERTED = ("model.safetensors", "speakers.safetensors")

Progress = Callable[[int], None]  # is told how many more bytes are done


def is_converted(folder: Path) -> bool:
    """Whether the converted files are there; they are preferred over the published ones."""
    return (folder / CONVERTED[0]).exists()


def files_of(folder: Path) -> tuple[str, ...]:
    """The names of the files that the model in `folder` is loaded from."""
    return COMMON + (CONVERTED if is_converted(folder) else PUBLISHED)


def read_sums(path: Path) -> dict[str, str]:
    """The sums by file name; empty where there is no such list. Raises EngineError."""
    try:
        return parse_sums(path.read_text(encoding="ascii"), str(path))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise EngineError(f"{path} cannot be read ({error.strerror}); correct its permissions") from None
    except UnicodeDecodeError:
        raise EngineError(f"{path} is no list of SHA-256 sums; make it with sha256sum") from None


def parse_sums(text: str, source: str) -> dict[str, str]:
    """The lines "SUM  NAME" of such a list. Raises EngineError naming `source`."""
    sums = {}
    for line in text.splitlines():
        digest, _, name = line.partition(" ")
        name = name[1:]  # a space for text, an asterisk for bytes: no difference here
        plain = Path(name).name == name and name not in ("", ".", "..")
        if len(digest) != 64 or set(digest) - set("0123456789abcdef") or not plain:
            raise EngineError(f"{source} is no list of SHA-256 sums of files beside it; make it with sha256sum")
        sums[name] = digest
    return sums


def write_sums(path: Path, sums: Mapping[str, str]) -> None:
    """Write the list. Raises OSError."""
    path.write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()), encoding="ascii")


def sha256(path: Path, progress: Progress = lambda _bytes: None) -> str:
    """The sum of a whole file, in hexadecimal. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
            progress(len(block))
    return digest.hexdigest()


def prove(folder: Path, progress: Progress = lambda _bytes: None) -> tuple[str, ...]:
    """Check every file that the list in `folder` names; a converted folder has to have one, which names all its files.

    Returns the names of those proven: none in a published folder without a list. Raises EngineError.
    """
    sums = read_sums(folder / SUMS)
    if is_converted(folder) and (unlisted := set(files_of(folder)) - sums.keys()):
        raise EngineError(f"{folder / SUMS} does not list {min(unlisted)}; convert the model again")
    for name, digest in sums.items():
        path = folder / name
        try:
            found = sha256(path, progress)
        except OSError as error:
            raise EngineError(
                f"model file {path} is listed in {SUMS} and cannot be read ({error.strerror}); get it again"
            ) from None
        if found != digest:
            raise EngineError(f"model file {path} has been altered (its SHA-256 is {found[:12]}…); get it again")
    return tuple(sums)
