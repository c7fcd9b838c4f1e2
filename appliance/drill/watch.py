"""Follows the vital signs of one process, and of the media clock, closely enough to say when what happened."""

import threading
from types import TracebackType
from typing import Self

from appliance import clock
from appliance.frames.memory import Memory
from appliance.supervision.vitals import State, Vitals
from appliance.units import FRAME_MS, NS_PER_MS, NS_PER_S

LOOK_S = 0.004
MEDIA = "rtp"  # its heart beats with each 20 ms of sound


class Watch:
    """A context manager: looks on from a thread of its own while it is open. One process of one instance."""

    def __init__(self, instance: str, process: str) -> None:
        self._memory = Memory.attach(instance)
        self._vitals = Vitals(self._memory.vitals(process))
        self._media = Vitals(self._memory.vitals(MEDIA))
        self._pid, self._exits = self._vitals.pid, self._vitals.exits
        self._news = threading.Condition()
        self._seen_ns = self._back_ns = 0
        self._beat_ns = self._media.heartbeat_ns
        self._longest_ns = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True, name="watch")

    def seen_ms(self, since_ns: int) -> float | None:
        """When the watchdog had noticed that the process is dead or stuck; None: not yet."""
        return (self._seen_ns - since_ns) / NS_PER_MS if self._seen_ns else None

    def back_s(self, since_ns: int) -> float | None:
        """When another process was ready in its place; None: not yet."""
        return (self._back_ns - since_ns) / NS_PER_S if self._back_ns else None

    @property
    def gap_ms(self) -> float:
        """The longest time so far for which there was no sound: a tick after which no other came in time."""
        now_ns = clock.now_ns()
        longest_ns = max(self._longest_ns, now_ns - self._beat_ns if now_ns > self._beat_ns else 0)
        return max(0.0, longest_ns / NS_PER_MS - FRAME_MS)

    def wait_until_back(self, timeout_s: float) -> bool:
        """Wait until the process has been replaced; whether it was."""
        with self._news:
            return self._news.wait_for(lambda: self._back_ns, timeout_s) != 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._memory.close()

    def _look_on(self) -> None:
        while not self._over.wait(LOOK_S):
            self._look()

    def _look(self) -> None:
        beat_ns = self._media.heartbeat_ns  # 0 between two processes: the old one's last beat still counts
        if beat_ns > self._beat_ns:
            self._longest_ns = max(self._longest_ns, beat_ns - self._beat_ns)
            self._beat_ns = beat_ns
        vitals = self._vitals
        has_gone = vitals.state is State.STUCK or vitals.exits != self._exits or vitals.pid != self._pid
        if has_gone and not self._seen_ns:
            self._seen_ns = clock.now_ns()
        if vitals.pid != self._pid and vitals.ready_ns and vitals.state in (State.UP, State.LATE) and not self._back_ns:
            with self._news:
                self._back_ns = clock.now_ns()
                self._news.notify_all()
