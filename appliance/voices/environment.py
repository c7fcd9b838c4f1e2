"""The LMDB environment under the store: opened once in a process, never across a fork; its errors as sentences."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import lmdb

from appliance.voices.errors import StoreUnusable

if TYPE_CHECKING:  # generic in its stubs only
    Transaction: TypeAlias = lmdb.Transaction[memoryview]
else:
    Transaction = lmdb.Transaction

MAP_BYTES = 64 << 30  # address space, not disk: the file grows as voices come
MAX_READERS = 2048

# LMDB 0.9's file format, which every tool reads. Said outright, because the environment could choose another one.
_FORMAT = 0
# sizeof(MDB_txninfo) is 192 with room for one reader, and 64 for each more.
_LOCK_BYTES = 192 + (MAX_READERS - 1) * 64
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_HARDLY_BYTES = 4 << 20  # a profile at its longest
_FORBIDDEN = {errno.EACCES, errno.EPERM}
_DAMAGED = (lmdb.CorruptedError, lmdb.InvalidError, lmdb.PageNotFoundError, lmdb.VersionMismatchError)


class Environment:
    """An LMDB environment in `folder`, made if needed; `writable` is false on a read-only disk."""

    def __init__(self, folder: Path, map_bytes: int = MAP_BYTES) -> None:
        """Raises StoreUnusable."""
        self.folder = folder
        self.writable = True
        self._pid = os.getpid()
        self._map_bytes = map_bytes
        with self._sentences():
            self._lmdb = self._open()
            if self.writable:
                self._lmdb.reader_check()
                self._fill_up()

    def _open(self) -> lmdb.Environment:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _reserve(self.folder / "lock.mdb", _LOCK_BYTES)
            return self._open_as(readonly=False)
        except (OSError, lmdb.Error) as error:
            if _number(error) != errno.EROFS or not (self.folder / "data.mdb").exists():
                raise
        self.writable = False
        return self._open_as(readonly=True)

    def _open_as(self, readonly: bool) -> lmdb.Environment:
        return lmdb.open(
            str(self.folder),
            map_size=self._map_bytes,
            max_readers=MAX_READERS,
            mode=0o700,
            readonly=readonly,
            create=not readonly,
            readahead=False,  # see read_ahead.py
            lib_version=_FORMAT,
        )

    def _fill_up(self) -> None:
        """A file cut short (by a bad copy) would kill whoever reads beyond its end: SIGBUS. Zeros are only an error."""
        data = self.folder / "data.mdb"
        needed = (self._lmdb.info()["last_pgno"] + 1) * self._lmdb.stat()["psize"]
        if data.stat().st_size < needed:
            _reserve(data, needed)

    @property
    def last_change(self) -> int:
        """The number of the last transaction of any process. Costs a microsecond and no lock."""
        self._check_process()
        return self._lmdb.info()["last_txnid"]

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """What the store holds at this moment. Waits for nobody. Raises StoreUnusable."""
        self._check_process()
        with self._sentences(), self._lmdb.begin(buffers=True) as txn:
            yield txn

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """A change, on the disk when this ends; undone by an exception. One at a time, of all processes.

        Raises StoreUnusable.
        """
        self._check_process()
        with self._sentences():
            if not self.writable:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            self._lmdb.reader_check()  # what killed readers hold on to can be used again
            with self._lmdb.begin(write=True, buffers=True) as txn:
                yield txn

    def close(self) -> None:
        """End it. Idempotent."""
        self._lmdb.close()

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise StoreUnusable("the store of voices was opened before a fork; every process opens its own")

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except (lmdb.Error, OSError) as error:
            raise StoreUnusable(self._sentence(error)) from error

    def _sentence(self, error: Exception) -> str:
        store = f"the store of voices {self.folder}"
        if isinstance(error, lmdb.MapFullError):
            return f"{store} is full ({self._map_bytes >> 20} MB); delete voices that nobody needs"
        if isinstance(error, _DAMAGED):
            return f"{store} is damaged ({error}); move it away, then import the voices you exported"
        if _number(error) in _FULL or (_number(error) == errno.EIO and self._is_full()):
            return f"{store} has no space left on its disk; free some (df -h {self.folder}), then try again"
        if _number(error) == errno.EROFS:
            return f"{store} cannot be written: its disk is read-only"
        if _number(error) in _FORBIDDEN:
            return f"{store} is closed to this user; run this as the user that the appliance runs as"
        return f"{store} cannot be used: {error}"

    def _is_full(self) -> bool:
        """LMDB calls a write that the disk took only a part of an input/output error."""
        disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize < _HARDLY_BYTES


def keys_below(txn: Transaction, prefix: bytes) -> list[bytes]:
    """The rest of every key that begins with `prefix`, in order."""
    found = []
    with txn.cursor() as cursor:
        if cursor.set_range(prefix):
            for key in cursor.iternext(values=False):
                if key[: len(prefix)] != prefix:
                    break
                found.append(bytes(key[len(prefix) :]))
    return found


def _number(error: Exception) -> int:
    return (error.errno or 0) if isinstance(error, OSError) else int(getattr(error, "code", 0))


def _reserve(path: Path, size_bytes: int) -> None:
    """Make a file at least so long, with real blocks: a hole in a mapped file is SIGBUS once the disk is full.

    Not while this process has LMDB's lock file open: closing any descriptor of it would release fcntl(2) locks.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size_bytes)
    finally:
        os.close(descriptor)
