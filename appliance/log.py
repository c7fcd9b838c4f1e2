"""The log: processes put lines into their journal, the watchdog writes all journals out as JSON lines."""

import select
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from os import write
from select import PIPE_BUF

import msgspec

from appliance import clock
from appliance.frames.messages import JournalEntry, LogLine


class Log:
    """One process's log. Never blocks: `journal` takes each line to where it is written."""

    def __init__(self, process: str, journal: Callable[[JournalEntry], None]) -> None:
        self._process = process
        self._journal = journal

    def info(self, text: str) -> None:
        """Something a technician wants to find later."""
        self._line("info", text)

    def warning(self, text: str) -> None:
        """Something is not as it should be, and the appliance copes."""
        self._line("warning", text)

    def error(self, text: str) -> None:
        """Something failed."""
        self._line("error", text)

    def _line(self, level: str, text: str) -> None:
        self._journal(LogLine(process=self._process, level=level, text=text, ts_ns=clock.now_ns()))


class JsonLines:
    """Writes journal entries to a file descriptor without ever blocking on it.

    A reader that does not read (a full pipe, a stopped pager) costs lines, never the watchdog's attention;
    `lost` counts them.
    """

    MAX_WAITING = 10_000

    def __init__(self, descriptor: int) -> None:
        self.lost = 0
        self._descriptor = descriptor
        self._waiting: deque[bytes] = deque()
        self._is_begun = False  # the first of them has been written in part …
        self._is_torn = False  # … or one was that had to be given up: what follows needs a line of its own
        self._writable = select.poll()
        self._writable.register(descriptor, select.POLLOUT)

    def write(self, entry: JournalEntry) -> None:
        """Queue one entry as a line `{"time": …, "type": …, …}`; written as far as the descriptor takes it."""
        fields = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **msgspec.to_builtins(entry)}
        if len(self._waiting) >= self.MAX_WAITING:
            self._waiting.popleft()
            self._give_up()
        self._waiting.append(msgspec.json.encode(fields) + b"\n")
        self.flush()

    def flush(self) -> None:
        """Write what is waiting, until the descriptor would block."""
        while self._waiting and self._writable.poll(0):
            line = b"\n" * self._is_torn + self._waiting.popleft()
            # poll(2) promises room for PIPE_BUF bytes only; more in one write could block.
            try:
                written = write(self._descriptor, line[:PIPE_BUF])
            except OSError:  # the reader has gone, or the disk is full
                self._give_up()
                continue
            self._is_begun, self._is_torn = written < len(line), False
            if self._is_begun:
                self._waiting.appendleft(line[written:])

    def _give_up(self) -> None:
        self.lost += 1
        self._is_torn |= self._is_begun
        self._is_begun = False
