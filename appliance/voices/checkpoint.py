"""The numbers in a file that torch has saved, without torch and without running what a pickle may ask for.

Before torch 1.6, such a file is five pickles, then the numbers of each storage: magic, protocol, facts about the
machine, the tensors by name, the order of the storages (torch/serialization.py, _legacy_load). Since then it is a zip
file: a pickle that describes the tensors, and a file for each storage. A pickle may name any function to be called;
here it gets a few, which only describe tensors.
"""

import hashlib
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from appliance.voices.arrays import Floats

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
_COUNT = np.dtype("<i8")
_NUMBER = np.dtype("<f4")
_MOST_PICKLE_BYTES = 1 << 20
_MOST_NUMBERS = 1 << 28
# All that bytes which are no pickle, or another one, make a pickle reader say.
_BROKEN = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,  # of zipfile: a way of packing that it does not know
    TypeError,
    ValueError,
    zipfile.BadZipFile,
)


class NotACheckpoint(Exception):  # noqa: N818
    """The file is something else, or holds more than tensors; one sentence without the file's name."""


class _Storage(NamedTuple):
    key: str
    numbers: int
    is_float: bool = True


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def read_tensors(path: Path, table: str = "", prefix: str = "") -> dict[str, Floats]:
    """The float32 tensors by name in the dictionary `table` of a checkpoint, or in all of it.

    Those of whole numbers, which only count steps of training, are left out. With `prefix`, only tensors whose names
    begin with it, without it; what else is in the file, such as an optimizer, is then passed over, not refused.
    Raises NotACheckpoint, OSError.
    """
    with path.open("rb") as file:
        try:
            if zipfile.is_zipfile(file):
                return _from_zip(file, table, prefix)
            file.seek(0)
            if file.read(2) == b"PK":
                raise NotACheckpoint("its end is missing")
            file.seek(0)
            if (_plain(file), _plain(file)) != (MAGIC, PROTOCOL):
                raise NotACheckpoint("it was not saved by torch in the form that is known here")
            _plain(file)
            loaded = _Tensors(file).load()
            described = _float_tensors(loaded, table)
            if len(described) < len(loaded[table] if table else loaded):
                raise ValueError("whole numbers")
            numbers = _storages(file, _plain(file), {one.storage for one in described.values()})
            return {name: _filled(one, numbers) for name, one in described.items()}
        except _BROKEN as error:
            raise NotACheckpoint(f"it holds more or less than tensors ({' '.join(str(error).split())})") from None


def fingerprint(tensors: Mapping[str, Floats], settings: bytes = b"") -> str:
    """Eight hexadecimal digits that are others for other numbers, names, shapes or `settings`.

    They are part of a model's name, so that what two checkpoints make of a voice is never compared. How a checkpoint
    was packed does not count.
    """
    digest = hashlib.sha256(settings)
    for name in sorted(tensors):
        numbers = np.ascontiguousarray(tensors[name], _NUMBER)
        digest.update(f"\n{name} {numbers.shape}\n".encode())
        digest.update(numbers.data)
    return digest.hexdigest()[:8]


def _from_zip(file: BinaryIO, table: str, prefix: str) -> dict[str, Floats]:
    with zipfile.ZipFile(file) as archive:
        (place,) = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
        if archive.getinfo(place).file_size > _MOST_PICKLE_BYTES:
            raise ValueError("its description is too long")
        reader = _TensorsAmongOthers if prefix else _Tensors
        described = _float_tensors(reader(BytesIO(archive.read(place))).load(), table, prefix)
        numbers = {}
        for storage in {one.storage for one in described.values()}:
            name = place.removesuffix("data.pkl") + f"data/{storage.key}"
            if archive.getinfo(name).file_size != storage.numbers * _NUMBER.itemsize:
                raise ValueError("a storage has another length than its tensors")
            numbers[storage.key] = np.frombuffer(archive.read(name), _NUMBER)
        return {name: _filled(one, numbers) for name, one in described.items()}


def _float_tensors(loaded: Any, table: str, prefix: str = "") -> dict[str, _Tensor]:
    everything = loaded[table] if table else loaded
    tensors = {str(name): one for name, one in everything.items() if str(name).startswith(prefix)}
    if not all(isinstance(one, _Tensor) for one in tensors.values()):
        raise ValueError("something in it is no tensor")
    return {name.removeprefix(prefix): one for name, one in tensors.items() if one.storage.is_float}


class _Plain(pickle.Unpickler):
    """Numbers, texts, lists and dictionaries."""

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


class _Tensors(_Plain):
    """The same, and the descriptions of tensors."""

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        allowed: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _described,
            ("torch", "FloatStorage"): _float_storage,
            ("torch", "LongStorage"): _long_storage,
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return allowed[module, name]

    def persistent_load(self, persistent: Any) -> _Storage:
        what, kind, key, _place, count, view = persistent if len(persistent) == 6 else (*persistent, None)
        known = kind in (_float_storage, _long_storage)
        if what != "storage" or not known or view is not None or not 0 <= count <= _MOST_NUMBERS:
            raise pickle.UnpicklingError("a storage of another kind")
        return _Storage(str(key), int(count), kind is _float_storage)


class _Passed:
    """Stands for whatever else a checkpoint names: it takes all that a pickle does with it, and does nothing."""

    def __init__(self, *_given: object, **_named: object) -> None:
        pass

    def __call__(self, *_given: object) -> "_Passed":
        return self

    def __setstate__(self, _state: object) -> None:
        pass

    def __setitem__(self, _key: object, _value: object) -> None:
        pass

    def append(self, _value: object) -> None:
        """As of a list."""

    def extend(self, _values: object) -> None:
        """As of a list."""


class _TensorsAmongOthers(_Tensors):
    """The same where other things are there, too: an optimizer, a configuration, what training has noted."""

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        try:
            return super().find_class(module, name)
        except pickle.UnpicklingError:
            return _Passed

    def persistent_load(self, persistent: Any) -> _Storage:
        if persistent[0] == "storage" and persistent[1] is _Passed:
            return _Storage(str(persistent[2]), 0, is_float=False)
        return super().persistent_load(persistent)


def _float_storage() -> None:
    """Stands for torch.FloatStorage, which is only named, never called."""
    raise pickle.UnpicklingError("it makes a storage of its own")


def _long_storage() -> None:
    """Stands for torch.LongStorage."""
    raise pickle.UnpicklingError("it makes a storage of its own")


def _described(
    storage: _Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_hooks: object
) -> _Tensor:
    return _Tensor(storage, offset, shape, stride)


def _plain(file: BinaryIO) -> Any:
    return _Plain(file).load()


def _storages(file: BinaryIO, order: list[str], wanted: set[_Storage]) -> dict[str, Floats]:
    """The numbers of each wanted storage: as many as the file says, which must be what the tensors were told."""
    counts = {one.key: one.numbers for one in wanted}
    found = {}
    for key in order:
        count = int(np.frombuffer(file.read(_COUNT.itemsize), _COUNT)[0])
        if not 0 <= count <= _MOST_NUMBERS or counts.get(key, count) != count:
            raise ValueError("a storage has another length than its tensors")
        content = file.read(count * _NUMBER.itemsize)
        if key in counts:
            found[key] = np.frombuffer(content, _NUMBER, count)
    return found


def _filled(tensor: _Tensor, storages: dict[str, Floats]) -> Floats:
    numbers = storages[tensor.storage.key]
    last = tensor.offset + sum((size - 1) * step for size, step in zip(tensor.shape, tensor.stride, strict=True))
    if min((tensor.offset, *tensor.shape, *tensor.stride), default=0) < 0 or last >= len(numbers):
        raise ValueError("a tensor lies outside its storage")
    strides = [step * _NUMBER.itemsize for step in tensor.stride]
    view = np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, strides, writeable=False)
    return np.array(view, np.float32)
