"""Ways to get frames from one process to another: this ring, and what Python programs use otherwise.

Each carries the same: 640 bytes and what the appliance must know about them. The peers are used in their cheapest
documented way: bytes without pickling where there is a choice, blocking calls without timeouts, one connection for all
legs (a connection per leg would cost a poll on top), what is known about a frame packed in front of it.
"""

import multiprocessing
import socket
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.queues import Queue
from typing import Any, Protocol

from appliance.clock import now_ns
from appliance.frames.memory import Memory
from appliance.frames.ring import FRAME_RECORD_BYTES, RingWriter, pop_ready, push_each
from appliance.units import FRAME_BYTES

_FRAME = bytes(range(256)) * 2 + bytes(FRAME_BYTES - 512)
_ABOUT = struct.Struct("<HQQQLL")  # leg, sequence, stream, capture_ns, timestamp, flags: as a slot's header has them
_IDLE_S = 30.0  # longer than all others' turns
_BATCH_FRAMES = 64  # dealt with while the next are still being pushed

Send = Callable[[int], None]  # one frame per leg, stamped with the tick's time
Finish = Callable[[], None]  # let everything sent go out
Receive = Callable[[int], int]  # take so many frames, or a batch more, or fewer when no more come; returns how many
UnderWay = Callable[[], list[int]]  # how long each frame was under way, in ns; for those received since the last call


class Contender(Protocol):
    """One way. Made in the benchmark's process and sent to both sides, each of which calls its own method only."""

    name: str

    def sender(self) -> tuple[Send, Finish]:
        """In the sending process."""

    def receiver(self) -> tuple[Receive, UnderWay]:
        """In the receiving process."""

    def close(self) -> None:
        """In the benchmark's process, when both sides are gone: free what was made."""


@dataclass(frozen=True)
class _Limits:
    instance: str
    max_legs: int
    max_lanes: int = 1


class Ring:
    """Our rings, one per leg, pushed and popped in batches as the appliance does."""

    name = "ring"

    def __init__(self, legs: int) -> None:
        self._legs = legs
        self._memory: Memory | None = Memory.create(_Limits(f"bench-{uuid.uuid4().hex[:12]}", legs), ("rtp", "asr"))
        self._instance = self._memory.instance

    def __getstate__(self) -> dict[str, Any]:
        return {"_legs": self._legs, "_instance": self._instance, "_memory": None}  # the sides attach by name

    def writers(self) -> list[RingWriter]:
        """The sending ends, by leg."""
        memory = Memory.attach(self._instance)
        return [memory.writer("uplink", leg) for leg in range(self._legs)]

    def sender(self) -> tuple[Send, Finish]:
        """One call for all legs."""
        writers, payloads = self.writers(), [_FRAME] * self._legs

        def send(stamp_ns: int) -> None:
            push_each(writers, payloads, capture_ns=stamp_ns)

        return send, _nothing

    def receiver(self) -> tuple[Receive, UnderWay]:
        """One call for all legs that have something; gives up when no more comes."""
        memory = Memory.attach(self._instance)
        bell = memory.doorbell("asr")
        readers = [memory.reader("uplink", leg) for leg in range(self._legs)]
        frames = bytearray(_BATCH_FRAMES * FRAME_RECORD_BYTES)
        capture_ns = memoryview(frames).cast("Q")[2 :: FRAME_RECORD_BYTES // 8]  # the third word of each FRAME_RECORD
        batches: list[tuple[int, bytes]] = []  # when it was there, capture_ns of its frames

        def receive(total: int) -> int:
            taken = 0
            while taken < total and bell.wait(_IDLE_S):
                count = pop_ready(readers, frames)
                batches.append((now_ns(), capture_ns[:count].tobytes()))
                taken += count
            return taken

        def under_way() -> list[int]:
            found = [now - stamp for now, stamps in batches for stamp in memoryview(stamps).cast("Q")]
            batches.clear()
            return found

        return receive, under_way

    def close(self) -> None:
        """Remove the shared memory."""
        if self._memory:
            self._memory.unlink()
            self._memory.close()


class RingOneByOne(Ring):
    """Our rings, each frame pushed by a call of its own: what a single push costs where it is used."""

    name = "ring, one by one"

    def sender(self) -> tuple[Send, Finish]:
        """One call per leg."""
        pushes = [writer.push for writer in self.writers()]

        def send(stamp_ns: int) -> None:
            for push in pushes:
                push(_FRAME, capture_ns=stamp_ns)

        return send, _nothing


def _nothing() -> None:
    pass


def _send_each(send_one: Callable[[bytes], object], legs: int) -> Send:
    sequence = 0

    def send(stamp_ns: int) -> None:
        nonlocal sequence
        for leg in range(legs):
            send_one(pack(leg, sequence, 0, stamp_ns, 0, 0) + _FRAME)
        sequence += 1

    pack = _ABOUT.pack
    return send


def _receive_each(receive_one: Callable[[], bytes]) -> tuple[Receive, UnderWay]:
    under_way_ns: list[int] = []

    def receive(total: int) -> int:
        for _ in range(total):
            _, _, _, stamp_ns, _, _ = unpack(receive_one())
            under_way_ns.append(now_ns() - stamp_ns)
        return total

    unpack = _ABOUT.unpack_from
    return receive, partial(_taken_out, under_way_ns)


def _taken_out(numbers: list[int]) -> list[int]:
    taken = numbers.copy()
    numbers.clear()
    return taken


class Datagrams:
    """A pair of Unix datagram sockets."""

    name = "Unix datagrams"

    def __init__(self, legs: int) -> None:
        self._legs = legs
        self._in, self._out = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    def sender(self) -> tuple[Send, Finish]:
        """One system call per frame: Python has no sendmmsg."""
        return _send_each(self._out.send, self._legs), _nothing

    def receiver(self) -> tuple[Receive, UnderWay]:
        """One system call per frame."""
        return _receive_each(partial(self._in.recv, _ABOUT.size + FRAME_BYTES))

    def close(self) -> None:
        """Close both ends."""
        self._in.close()
        self._out.close()


class Pipe:
    """multiprocessing.Pipe, one way, bytes without pickling."""

    name = "multiprocessing.Pipe"

    def __init__(self, legs: int) -> None:
        self._legs = legs
        self._in, self._out = multiprocessing.get_context("spawn").Pipe(duplex=False)

    def sender(self) -> tuple[Send, Finish]:
        """One message per frame."""
        return _send_each(self._out.send_bytes, self._legs), _nothing

    def receiver(self) -> tuple[Receive, UnderWay]:
        """One message per frame."""
        return _receive_each(self._in.recv_bytes)

    def close(self) -> None:
        """Close both ends."""
        self._in.close()
        self._out.close()


class PickleQueue:
    """multiprocessing.Queue: pickles, and feeds a pipe from a thread."""

    name = "multiprocessing.Queue"

    def __init__(self, legs: int) -> None:
        self._legs = legs
        self._queue: Queue[bytes] = multiprocessing.get_context("spawn").Queue()

    def sender(self) -> tuple[Send, Finish]:
        """One item per frame."""
        return _send_each(self._queue.put, self._legs), self.close

    def receiver(self) -> tuple[Receive, UnderWay]:
        """One item per frame."""
        return _receive_each(self._queue.get)

    def close(self) -> None:
        """Close, and wait for the feeding thread."""
        self._queue.close()
        self._queue.join_thread()


class ZeroMq:
    """ZeroMQ push and pull sockets over a Unix socket."""

    name = "ZeroMQ"

    def __init__(self, legs: int) -> None:
        self._legs = legs
        self._address = f"ipc://@dragoman-bench-{uuid.uuid4().hex}"  # "@": a name in the kernel only, no file

    def sender(self) -> tuple[Send, Finish]:
        """One message per frame."""
        import zmq  # noqa: PLC0415 (heavy, and only these two processes need it)

        context = zmq.Context()
        socket = context.socket(zmq.PUSH)
        socket.connect(self._address)
        return _send_each(socket.send, self._legs), lambda: context.destroy(linger=5000)

    def receiver(self) -> tuple[Receive, UnderWay]:
        """One message per frame."""
        import zmq  # noqa: PLC0415

        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PULL)
        socket.bind(self._address)
        return _receive_each(socket.recv)

    def close(self) -> None:
        """Nothing is left."""


OURS = (Ring, RingOneByOne)
PEERS = (Datagrams, Pipe, PickleQueue, ZeroMq)
