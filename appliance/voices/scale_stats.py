"""The numbers in scale_stats.npy, by which models of coqui-tts norm their mel bands, without running its pickle.

The file is an array of numpy with one dictionary in it, of arrays and of settings; numpy would unpickle it, and run
whatever it names. Here an array is a description with its bytes, and everything else is passed over.
"""

import pickle
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from appliance.voices.arrays import Floats

_MOST_BYTES = 4 << 20
_KINDS = {"f4": "<f4", "f8": "<f8"}
_BROKEN = (pickle.UnpicklingError, ArithmeticError, AttributeError, EOFError, LookupError, TypeError, ValueError)


class NotStatistics(Exception):  # noqa: N818
    """The file is something else; one sentence without the file's name."""


class _Described:
    """What a pickle says of an array, a kind of number, or of anything else."""

    def __init__(self, *given: Any) -> None:
        self.given = given
        self.state: Any = None

    def __call__(self, *_given: Any) -> "_Described":
        return self

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, _key: Any, _value: Any) -> None:
        """As of a dictionary."""


class _Reader(pickle.Unpickler):
    """Only descriptions, whatever the pickle names."""

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        return _Encoded if (module, name) == ("_codecs", "encode") else _Described


class _Encoded(_Described):
    """Bytes, as an old pickle has them: text in Latin-1."""


def read_statistics(path: Path, bands: int) -> tuple[Floats, Floats]:
    """Mean and deviation of each band, (bands,) each. Raises NotStatistics, OSError."""
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    try:
        table = _table(content)
        mean, deviation = (_numbers(table[name]) for name in ("mel_mean", "mel_std"))
    except _BROKEN as error:
        raise NotStatistics(f"it holds no means and deviations ({' '.join(str(error).split())})") from None
    if {mean.shape, deviation.shape} != {(bands,)}:
        raise NotStatistics(f"it is of {mean.shape[0] if mean.shape else 0} bands, and the model has {bands}")
    if not (np.isfinite(mean).all() and np.isfinite(deviation).all() and (deviation > 0).all()):
        raise NotStatistics("some of its deviations are not above 0")
    return mean, deviation


def _table(content: bytes) -> dict[str, Any]:
    """The dictionary inside."""
    if len(content) > _MOST_BYTES:
        raise ValueError("it is too long")
    file = BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("it is of another version")
    np.lib.format.read_array_header_1_0(file)
    outer = _Reader(file).load()
    (table,) = outer.state[-1]
    if not isinstance(table, dict):
        raise TypeError("there is no dictionary in it")
    return table


def _numbers(array: Any) -> Floats:
    """(version, shape, kind, whether columns come first, bytes) is what numpy keeps of an array."""
    _version, shape, kind, _columns_first, packed = array.state
    content = packed.given[0].encode("latin-1") if isinstance(packed, _Encoded) else packed
    order = "<" if kind.state[1] == "<" else ">"
    return np.frombuffer(content, _KINDS[kind.given[0]].replace("<", order)).reshape(shape).astype(np.float32)
