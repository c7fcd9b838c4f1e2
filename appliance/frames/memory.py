"""The shared memory of one instance and its semaphores: made by the watchdog, attached by everyone else.

One segment `/dragoman-<instance>`: a header that describes the rest, the roster's board, the measures of the box, a row
of vitals and a doorbell per process, then all rings. One semaphore `/dragoman-<instance>-<process>` per doorbell.
Nothing is created or freed while calls are up.
"""

import contextlib
import fcntl
import mmap
import os
import re
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
import posix_ipc

from appliance.frames import _ring
from appliance.frames.layout import (
    HEADER_BYTES,
    MEASURES_BYTES,
    VERSION,
    VITALS_BYTES,
    Layout,
    Places,
    RingPlace,
    places,
)
from appliance.frames.ring import Board, Doorbell, RingReader, RingState, RingWriter
from appliance.frames.roster import Roster, decode_roster, encode_roster

_MAGIC = b"DRAGOMAN"
_HEADER = struct.Struct("=8sQ")  # magic (written last), length of the Layout that follows
_SHM = Path("/dev/shm")
_INSTANCE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class MemoryRefused(Exception):  # noqa: N818 (a refusal is an answer, and it reads as one)
    """The shared memory cannot be made or attached; the message is one sentence: what, where, what to do."""


class Limits(Protocol):
    """What the memory's size depends on; the configuration has it."""

    @property
    def instance(self) -> str: ...
    @property
    def max_legs(self) -> int: ...
    @property
    def max_lanes(self) -> int: ...


def free_shm_bytes() -> int:
    """Bytes that /dev/shm can still take."""
    state = os.statvfs(_SHM)
    return state.f_bavail * state.f_frsize


class Memory:
    """One process's view of an instance's shared memory. Make one with `create` or `attach`."""

    def __init__(self, instance: str, segment: int, layout: Layout, found: Places) -> None:
        self.instance = instance
        self.layout = layout
        self._places = found
        self._segment = segment
        # Populated: a page fault for every sixth frame would cost more than the frame.
        flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
        self._map = mmap.mmap(segment, self._places.size_bytes, flags)
        self._bells: dict[str, Doorbell] = {}

    @classmethod
    def create(
        cls, limits: Limits, processes: Sequence[str], free_bytes: Callable[[], int] = free_shm_bytes
    ) -> "Memory":
        """Make the segment and semaphores for `processes`, after removing what a dead run of this instance left.

        Holds a lock on the segment until `close`. Raises MemoryRefused when another one lives or /dev/shm is too small.
        """
        segment = _claim(limits.instance)
        try:
            layout = Layout(os.getpid(), limits.max_legs, limits.max_lanes, tuple(processes), VERSION)
            found = _lay_out(layout)
            _reserve(segment, layout, found.size_bytes, free_bytes())
            memory = cls(limits.instance, segment, layout, found)
            memory._format()
        except BaseException:
            posix_ipc.unlink_shared_memory(_segment_name(limits.instance))
            os.close(segment)
            raise
        return memory

    @classmethod
    def attach(cls, instance: str) -> "Memory":
        """Join a running instance. Raises MemoryRefused when there is none, or one of another version."""
        _check_instance(instance)
        try:
            segment = posix_ipc.SharedMemory(_segment_name(instance)).fd
        except posix_ipc.ExistentialError:
            raise MemoryRefused(f'dragoman "{instance}" is not running here; start it with: dragoman up') from None
        try:
            layout = _read_layout(segment)
            if layout is None:
                raise MemoryRefused(f'dragoman "{instance}" is still starting; try again')
            found = places(layout)
            if (layout.version, os.fstat(segment).st_size) != (VERSION, found.size_bytes):
                raise MemoryRefused(f'dragoman "{instance}" runs another version of this program; restart it')
            return cls(instance, segment, layout, found)
        except BaseException:
            os.close(segment)
            raise

    def writer(self, ring: str, index: int | str = 0) -> RingWriter:
        """The writing end of a ring; `index`: its leg's or lane's place, or its process's name.

        Each writer made counts the ring's generation up. Raises ValueError when there is no such ring.
        """
        place = self._ring(ring, index)
        return RingWriter(self._map, place.offset, self._bell_of(place), place.bit)

    def reader(self, ring: str, index: int | str = 0) -> RingReader:
        """The reading end of a ring, from its committed position on; for the ring's reader process only."""
        place = self._ring(ring, index)
        return RingReader(self._map, place.offset, self._bell_of(place), place.bit)

    def ring_state(self, ring: str, index: int | str = 0) -> RingState:
        """Head, depth and drops of a ring, for anyone to look at."""
        return _ring.ring_state(self._map, self._ring(ring, index).offset)

    def rings(self) -> list[tuple[str, int]]:
        """Name and index of every ring."""
        return list(self._places.rings)

    def doorbell(self, process: str) -> Doorbell:
        """The doorbell of `process`. Raises ValueError when there is no such process."""
        if process not in self._bells:
            offset = self._row(self._places.bells, process)
            self._bells[process] = Doorbell(self._map, offset, _semaphore_name(self.instance, process))
        return self._bells[process]

    def vitals(self, process: str) -> memoryview:
        """The 64 unsigned 64-bit words of `process`; each is read and written whole."""
        offset = self._row(self._places.vitals, process)
        return memoryview(self._map)[offset : offset + VITALS_BYTES].cast("Q")

    def measures(self) -> memoryview:
        """The 128 unsigned 64-bit words of histograms that `ops` keeps here, so that they outlive it."""
        offset = self._places.measures
        return memoryview(self._map)[offset : offset + MEASURES_BYTES].cast("Q")

    def write_roster(self, roster: Roster) -> int:
        """Replace the roster; returns its version. For one process only. Raises ValueError when it does not fit."""
        return Board(self._map, self._places.board).write(encode_roster(roster))

    def read_roster(self) -> tuple[int, Roster]:
        """The newest roster and its version; version 0 is the empty one."""
        version, blob = Board(self._map, self._places.board).read()
        return version, decode_roster(blob)

    @property
    def roster_version(self) -> int:
        """Grows with each roster written: cheap to look at on every turn."""
        return Board(self._map, self._places.board).version

    def close(self) -> None:
        """Let go. Rings, doorbells and vitals that are still held stay usable; the last one frees the mapping."""
        self._bells.clear()
        with contextlib.suppress(BufferError):
            self._map.close()
        if self._segment >= 0:
            fcntl.flock(self._segment, fcntl.LOCK_UN)  # the mapping has a duplicate that would keep the lock
            os.close(self._segment)
            self._segment = -1

    def unlink(self) -> None:
        """Remove the segment and the semaphores by name; for the process that created them."""
        for process in self.layout.processes:
            _unlink_semaphore(self.instance, process)
        with contextlib.suppress(posix_ipc.ExistentialError):
            posix_ipc.unlink_shared_memory(_segment_name(self.instance))

    def _ring(self, ring: str, index: int | str) -> RingPlace:
        try:
            number = self.layout.processes.index(index) if isinstance(index, str) else index
            return self._places.rings[ring, number]
        except (KeyError, ValueError):
            raise ValueError(f'there is no ring "{ring}" {index}') from None

    def _bell_of(self, place: RingPlace) -> Doorbell | None:
        """The doorbell of a ring's reader; None where the reader is not among the processes, so nobody sleeps."""
        return self.doorbell(place.reader) if place.reader in self._places.bells else None

    def _row(self, rows: dict[str, int], process: str) -> int:
        try:
            return rows[process]
        except KeyError:
            raise ValueError(f'there is no process "{process}"; there are {", ".join(rows)}') from None

    def _format(self) -> None:
        for process in self.layout.processes:
            _unlink_semaphore(self.instance, process)
            posix_ipc.Semaphore(
                _semaphore_name(self.instance, process), posix_ipc.O_CREX, mode=0o600, initial_value=0
            ).close()
        _ring.format_board(self._map, self._places.board, self._places.board_capacity)
        for place in self._places.rings.values():
            _ring.format_ring(self._map, place.offset, place.slots, slots_at=place.slots_at, step=place.step)
        blob = msgspec.msgpack.encode(self.layout)
        self._map[_HEADER.size : _HEADER.size + len(blob)] = blob
        self._map[8:16] = struct.pack("=Q", len(blob))
        self._map[0:8] = _MAGIC  # last: whoever attaches earlier sees that it is not ready


def _segment_name(instance: str) -> str:
    return f"/dragoman-{instance}"


def _semaphore_name(instance: str, process: str) -> str:
    return f"/dragoman-{instance}-{process}"


def _unlink_semaphore(instance: str, process: str) -> None:
    with contextlib.suppress(posix_ipc.ExistentialError):
        posix_ipc.unlink_semaphore(_semaphore_name(instance, process))


def _check_instance(instance: str) -> None:
    if not _INSTANCE.fullmatch(instance):
        raise MemoryRefused(f'instance "{instance}" is not a name; use up to 63 of a-z, 0-9, "-" and "_"')


def _lay_out(layout: Layout) -> Places:
    try:
        return places(layout)
    except ValueError as error:
        raise MemoryRefused(f"cannot start: {error}; lower max_legs or max_lanes") from None


def _read_layout(segment: int) -> Layout | None:
    """What the header says; None when it is not written yet, or not ours."""
    header = os.pread(segment, HEADER_BYTES, 0)
    if len(header) < HEADER_BYTES:
        return None
    magic, length = _HEADER.unpack_from(header)
    if magic != _MAGIC:
        return None
    try:
        return msgspec.msgpack.decode(header[_HEADER.size : _HEADER.size + length], type=Layout)
    except msgspec.MsgspecError:
        return None


def _claim(instance: str) -> int:
    """Lock a new, empty segment of this name and return its descriptor; what a dead run left is removed first.

    The lock is the kernel's (flock), so it ends with its process however that dies.
    """
    _check_instance(instance)
    while True:
        segment: int = posix_ipc.SharedMemory(_segment_name(instance), posix_ipc.O_CREAT, mode=0o600).fd
        try:
            fcntl.flock(segment, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = _read_layout(segment)
            os.close(segment)
            pid = f" (process {owner.pid})" if owner else ""
            raise MemoryRefused(
                f'cannot start: dragoman "{instance}" already runs on this box{pid}; '
                "stop it, or give this one another `instance` name"
            ) from None
        if _is_named(segment, instance):
            if os.fstat(segment).st_size == 0:
                return segment
            _remove_dead(segment, instance)
        os.close(segment)  # removed by us or by another starter: try again with a fresh one


def _is_named(segment: int, instance: str) -> bool:
    """Is this descriptor still what the name stands for? Another starter may have removed it before we had the lock."""
    try:
        return os.path.samestat(os.fstat(segment), (_SHM / _segment_name(instance)[1:]).stat())
    except FileNotFoundError:
        return False


def _remove_dead(segment: int, instance: str) -> None:
    """Remove a dead run's semaphores and segment. Whoever of it still lives keeps its own copy and disturbs nobody."""
    layout = _read_layout(segment)
    for process in layout.processes if layout else ():
        _unlink_semaphore(instance, process)
    posix_ipc.unlink_shared_memory(_segment_name(instance))


def _reserve(segment: int, layout: Layout, size_bytes: int, free_bytes: int) -> None:
    """Give the segment all of its pages now: a tmpfs that fills up later would kill its users with SIGBUS."""
    missing = size_bytes - free_bytes
    if missing <= 0:
        try:
            os.posix_fallocate(segment, 0, size_bytes)
            return
        except OSError:  # somebody else took the room meanwhile
            missing = size_bytes - free_shm_bytes()
    raise MemoryRefused(
        f"cannot start: {missing} bytes are missing in /dev/shm: {layout.max_legs} legs with {layout.max_lanes} lanes "
        f"need {size_bytes} and {free_bytes} are free; give it more "
        f"(mount -o remount,size={_sufficient(missing)}M /dev/shm) or lower max_legs and max_lanes"
    )


def _sufficient(missing: int) -> int:
    """The size of /dev/shm, in MiB, with which nothing would be missing."""
    state = os.statvfs(_SHM)
    return -(-(state.f_blocks * state.f_frsize + missing) // 2**20)
