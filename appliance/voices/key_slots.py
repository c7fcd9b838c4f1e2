"""The wrapped keys of the profiles, in slots of a file that are overwritten in place.

A database that copies on write leaves deleted records lying in its free pages. Their keys are here instead, so that
overwriting 64 bytes makes every copy of a deleted profile unreadable, in the database and in what was read before.
Which slots are free, and which must be overwritten first, the database knows: a killed process leaves no doubt.
"""

import errno
import os
import struct
from pathlib import Path

from appliance.voices.environment import Environment, Transaction, keys_below
from appliance.voices.sealing import WRAPPED_BYTES, sync_folder

SLOT_BYTES = 64  # divides a disk's sector: a slot is written whole or not at all
_NUMBER = struct.Struct(">I")
_FREE, _DOOMED, _COUNT = b"free slot ", b"doomed slot ", b"about slots"  # in the database


class KeySlots:
    """One file of slots. Only within a write transaction is it written; a reader that meets a new slot reads anew."""

    def __init__(self, path: Path, environment: Environment) -> None:
        """Raises OSError."""
        is_new = not path.exists()
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT if environment.writable else os.O_RDONLY, 0o600)
        if is_new:
            sync_folder(path.parent)

    def read(self, slot: int) -> bytes:
        """The wrapped key in `slot`; shorter or all zeros where there is none."""
        return os.pread(self._descriptor, WRAPPED_BYTES, slot * SLOT_BYTES)

    def take(self, txn: Transaction) -> int:
        """A free slot, from now on taken."""
        with txn.cursor() as cursor:
            if cursor.set_range(_FREE) and cursor.key()[: len(_FREE)] == _FREE:
                (slot,) = _NUMBER.unpack(cursor.key()[len(_FREE) :])
                cursor.delete()
                return int(slot)
        (count,) = _NUMBER.unpack(txn.get(_COUNT, _NUMBER.pack(0)))
        txn.put(_COUNT, _NUMBER.pack(count + 1))
        return int(count)

    def write(self, slot: int, wrapped: bytes) -> None:
        """Put a wrapped key into `slot`; `sync` makes it last. Raises OSError."""
        written = os.pwrite(self._descriptor, wrapped.ljust(SLOT_BYTES, b"\0"), slot * SLOT_BYTES)
        if written != SLOT_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def sync(self) -> None:
        """Return when all that was written is on the disk."""
        os.fdatasync(self._descriptor)

    def doom(self, txn: Transaction, slot: int) -> None:
        """Have the key in `slot` destroyed once `txn` is committed."""
        txn.put(_DOOMED + _NUMBER.pack(slot), b"")

    def destroy_doomed(self, txn: Transaction) -> None:
        """Overwrite the keys that nothing refers to any more, also those that a killed process has left behind."""
        doomed = keys_below(txn, _DOOMED)
        for number in doomed:
            (slot,) = _NUMBER.unpack(number)
            self.write(slot, b"")
        if doomed:
            self.sync()
        for number in doomed:
            txn.delete(_DOOMED + number)
            txn.put(_FREE + number, b"")

    def close(self) -> None:
        """Close the file. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
