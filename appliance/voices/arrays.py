"""Arrays of numbers as typed bytes: what a profile keeps instead of pickles."""

import math
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import ArrayLike, NDArray

MAX_BYTES = 1 << 20

Floats = NDArray[np.float32]
Kind = Literal["<f4", "<f2"]  # numpy's names: little-endian floats of 4 and 2 bytes
Length = Annotated[int, Meta(ge=1, le=MAX_BYTES)]


class Array(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Finite numbers in C order: `data` has as many bytes as `kind` and `shape` say. Raises ValueError otherwise."""

    kind: Kind
    shape: Annotated[tuple[Length, ...], Meta(min_length=1, max_length=4)]
    data: Annotated[bytes, Meta(max_length=MAX_BYTES)]

    def __post_init__(self) -> None:
        needed = math.prod(self.shape) * np.dtype(self.kind).itemsize
        if len(self.data) != needed:
            raise ValueError(f"an array of shape {self.shape} has {needed} bytes, not {len(self.data)}")
        if not np.isfinite(self._view()).all():
            raise ValueError("an array holds only finite numbers")

    @classmethod
    def of(cls, numbers: ArrayLike, kind: Kind = "<f4") -> "Array":
        """Pack `numbers`, of any shape of 1 to 4 dimensions. Raises ValueError for what does not fit `kind`."""
        with np.errstate(over="ignore"):  # too great becomes infinite, which is refused
            packed = np.ascontiguousarray(numbers, dtype=kind)
        return cls(kind, packed.shape, packed.tobytes())

    def numbers(self) -> Floats:
        """The numbers as float32, a copy in its shape."""
        return self._view().astype(np.float32)

    def _view(self) -> NDArray[Any]:
        return np.frombuffer(self.data, self.kind).reshape(self.shape)
