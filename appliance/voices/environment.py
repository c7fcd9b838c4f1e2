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
    Database: TypeAlias = lmdb._Database
else:
    Transaction = lmdb.Transaction
    Database = object

MAP_BYTES = 64 << 30  # address space, not disk: the file grows as voices come
MAX_READERS = 2048
DATABASES = ("about", "profiles", "phones", "free_slots", "doomed_slots")

# LMDB 0.9's file format, which every tool reads. Said outright, because the environment could choose another one.
_FORMAT = 0
# sizeof(MDB_txninfo) is 192 with room for one reader, and 64 for each more.
_LOCK_BYTES = 192 + (MAX_READERS - 1) * 64
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_HARDLY_BYTES = 4 << 20  # a profile at its longest
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
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
            self.databases = self._databases()
            if self.writable:
                self._lmdb.reader_check()
                self._fill_up()

    def _open(self) -> lmdb.Environment:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _reserve(self.folder / "lock.mdb", _LOCK_BYTES)
            return self._open_as(readonly=False)
        except (OSError, lmdb.Error) as error:
            if _number(error) not in _READ_ONLY or not (self.folder / "data.mdb").exists():
                raise
        self.writable = False
        return self._open_as(readonly=True)

    def _open_as(self, readonly: bool) -> lmdb.Environment:
        return lmdb.open(
            str(self.folder),
            map_size=self._map_bytes,
            max_readers=MAX_READERS,
            max_dbs=len(DATABASES),
            mode=0o700,
            readonly=readonly,
            create=not readonly,
            readahead=False,  # see read_ahead.py
            lib_version=_FORMAT,
        )

    def _databases(self) -> dict[str, Database]:
        if self.writable:
            with self._lmdb.begin(write=True) as txn:  # all of them or none
                for name in DATABASES:
                    self._lmdb.open_db(name.encode(), txn=txn)
        return {name: self._lmdb.open_db(name.encode(), create=False) for name in DATABASES}

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
        if _number(error) in _READ_ONLY:
            return f"{store} cannot be written: {os.strerror(_number(error))}"
        return f"{store} cannot be used: {error}"

    def _is_full(self) -> bool:
        """LMDB calls a write that the disk took only a part of an input/output error."""
        disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize < _HARDLY_BYTES


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
