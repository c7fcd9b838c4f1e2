"""The model files: which there must be, putting together those that come in parts, and proof that they are right.

`python -m appliance.engines.model_files assemble CACHE_DIR` puts them together, as set-up does, and converts those that
an engine needs in another form. It needs no network.
"""

import hashlib
import os
import shutil
import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import msgspec

from appliance.engines.protocols import EngineError

MANIFEST = Path(__file__).with_suffix(".toml")
CHUNK_BYTES = 1 << 20


class ModelFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a model: its `parts` ("package:path") one after the other give exactly these bytes.

    One without parts is made by the converter of its model, which always makes the same bytes.
    """

    name: str  # relative to the model's folder
    parts: tuple[str, ...]
    bytes: int
    sha256: str


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The files that one engine loads; `name` is the engine's name in the registry."""

    name: str
    licence: str
    purpose: str
    files: tuple[ModelFile, ...]
    sources: tuple[ModelFile, ...] = ()  # what the converter works on, and nobody needs afterwards
    converter: str = ""  # "module:function", called with the folder that has the sources

    @property
    def assembled(self) -> bool:
        """Whether its files have to be made first: packages hold them in parts, under other names, or unconverted."""
        return any(len(file.parts) != 1 or not file.parts[0].endswith(file.name) for file in self.files)


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All models of the appliance."""

    models: tuple[Model, ...]


@cache
def manifest(path: Path = MANIFEST) -> dict[str, Model]:
    """The models by name."""
    return {model.name: model for model in msgspec.toml.decode(path.read_bytes(), type=Manifest).models}


def verified_folder(model: Model, cache_dir: Path) -> Path:
    """The folder that holds the files of `model`, each proven to be the right one (about 0.25 s for 100 MB).

    Raises EngineError with what is wrong, and what to do about it.
    """
    folder = folder_of(model, cache_dir)
    for file in model.files:
        verify(folder / file.name, file, _remedy(model, folder))
    return folder


def verify(path: Path, file: ModelFile, remedy: str) -> None:
    """Prove that `path` has the bytes of `file`. Raises EngineError, which ends in `remedy`."""
    try:
        size = path.stat().st_size
        if size != file.bytes:
            raise EngineError(f"model file {path} has {size} bytes instead of {file.bytes}; {remedy}")
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise EngineError(f"model file {path} cannot be read ({error.strerror}); {remedy}") from None
    if digest != file.sha256:
        raise EngineError(f"model file {path} has been altered (its SHA-256 is {digest[:12]}…); {remedy}")


def assemble(model: Model, cache_dir: Path) -> Path:
    """Put the files of `model` together under `cache_dir`, unless the right ones are there already.

    The folder appears under its name only when it is complete and proven. Raises EngineError.
    """
    folder = folder_of(model, cache_dir)
    if _is_right(model, cache_dir):
        return folder
    fresh = folder.with_name(f".{model.name}.{os.getpid()}")
    old = folder.with_name(f".{model.name}.{os.getpid()}.old")
    try:
        for file in (*model.sources, *model.files):
            if file.parts:
                _join(file, fresh / file.name)
                verify(fresh / file.name, file, f"reinstall {_package(file)}: delete .venv and run make setup")
        if model.converter:
            _convert(model, fresh)
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    except OSError as error:
        raise EngineError(f"model {model.name} cannot be put into {folder.parent}: {error.strerror}") from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return folder


def _is_right(model: Model, cache_dir: Path) -> bool:
    try:
        verified_folder(model, cache_dir)
    except EngineError:
        return False
    return True


def _convert(model: Model, folder: Path) -> None:
    """Make the files without parts out of the sources, prove them, and drop the sources."""
    module, _, function = model.converter.partition(":")
    try:
        getattr(import_module(module), function)(folder)
    except ImportError as error:
        raise EngineError(f"model {model.name} cannot be converted: {error}; delete .venv and run make setup") from None
    for file in model.files:
        if not file.parts:
            verify(folder / file.name, file, "the converter's packages differ: delete .venv and run make setup")
    for source in model.sources:
        (folder / source.name).unlink()


def _join(file: ModelFile, path: Path) -> None:
    """Write the parts of `file`, one after the other, to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as whole:
        for part in file.parts:
            try:
                source = _in_package(part).open("rb")
            except OSError as error:
                raise EngineError(
                    f"model part {part} cannot be read ({error.strerror}); delete .venv and run make setup"
                ) from None
            with source:
                shutil.copyfileobj(source, whole, CHUNK_BYTES)


def folder_of(model: Model, cache_dir: Path) -> Path:
    """Where its files are, or will be when they are put together. Raises EngineError for a package that is missing."""
    if model.assembled:
        return cache_dir.expanduser() / "models" / model.name
    first = model.files[0]
    place = _in_package(first.parts[0])
    return place.parents[len(Path(first.name).parts) - 1]


def _in_package(part: str) -> Path:
    """Where "package:path" is on this machine; the package is found, not imported."""
    package, _, path = part.partition(":")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EngineError(f"the Python package {package} holds a model file and is not installed; run: make setup")
    return Path(spec.submodule_search_locations[0], path)


def _remedy(model: Model, folder: Path) -> str:
    if model.assembled:
        return f"delete {folder} and run: python -m appliance.engines.model_files assemble {folder.parents[1]}"
    return f"reinstall {_package(model.files[0])}: delete .venv and run make setup"


def _package(file: ModelFile) -> str:
    return file.parts[0].partition(":")[0]


def main(arguments: list[str]) -> int:
    """Put every model that comes in parts together. Exit status 1 with one sentence where that fails."""
    if len(arguments) != 2 or arguments[0] != "assemble":
        print("usage: python -m appliance.engines.model_files assemble CACHE_DIR", file=sys.stderr)  # noqa: T201
        return 2
    try:
        for model in manifest().values():
            (assemble if model.assembled else verified_folder)(model, Path(arguments[1]))
    except EngineError as error:
        print(f"cannot assemble the models: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
