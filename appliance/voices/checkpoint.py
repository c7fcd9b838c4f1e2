"""The numbers in a file that torch has saved, without torch and without running what a pickle may ask for.

Such a file (torch before 1.6, and the weights we need are so old) is five pickles, then the numbers of each storage:
magic, protocol, facts about the machine, the tensors by name, the order of the storages; torch/serialization.py,
_legacy_load. A pickle may name any function to be called; here it gets three, which only describe tensors.
"""

import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from appliance.voices.arrays import Floats

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
_COUNT = np.dtype("<i8")
_NUMBER = np.dtype("<f4")
_MOST_NUMBERS = 1 << 28
# All that bytes which are no pickle, or another one, make a pickle reader say.
_BROKEN = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)


class NotACheckpoint(Exception):  # noqa: N818
    """The file is something else, or holds more than tensors; one sentence without the file's name."""


class _Storage(NamedTuple):
    key: str
    numbers: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def read_tensors(path: Path, table: str) -> dict[str, Floats]:
    """The float32 tensors by name in the dictionary `table` of a checkpoint. Raises NotACheckpoint, OSError."""
    with path.open("rb") as file:
        try:
            if (_plain(file), _plain(file)) != (MAGIC, PROTOCOL):
                raise NotACheckpoint("it was not saved by torch in the form that is known here")
            _plain(file)
            described: dict[str, _Tensor] = _Tensors(file).load()[table]
            numbers = _storages(file, _plain(file), {one.storage for one in described.values()})
            return {name: _filled(one, numbers) for name, one in described.items()}
        except _BROKEN as error:
            raise NotACheckpoint(f"it holds more or less than tensors ({error})") from None


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
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return allowed[module, name]

    def persistent_load(self, persistent: Any) -> _Storage:
        what, kind, key, _place, count, view = persistent
        if what != "storage" or kind is not _float_storage or view is not None or not 0 <= count <= _MOST_NUMBERS:
            raise pickle.UnpicklingError("a storage of another kind")
        return _Storage(str(key), int(count))


def _float_storage() -> None:
    """Stands for torch.FloatStorage, which is only named, never called."""
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
