"""What a process is given to work with: its configuration, rings, vital signs, journal, and when to stop."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, overload

from appliance import clock
from appliance.config import Config
from appliance.frames.memory import Memory
from appliance.frames.messages import JournalEntry, LanguageFound, Segment, SpeakerFound, Translation
from appliance.frames.ring import RingReader, RingWriter
from appliance.frames.roster import Roster
from appliance.frames.text import TextReader, TextWriter
from appliance.log import Log
from appliance.supervision.process_table import Process, standby_of
from appliance.supervision.turn import Turn
from appliance.supervision.vitals import Vitals
from appliance.units import NS_PER_S

LONG_AGO_NS = 1
GIVE_UP_LOOK_S = 0.05


class Context:
    """Passed to a process's `main`. `media_fd` is the UDP socket of all media, for the process that owns it.

    `turn`: of a standby, which has vital signs and a journal of its own until then, and no ring.
    """

    def __init__(
        self,
        process: Process,
        config: Config,
        memory: Memory,
        media_fd: int | None = None,
        turn: Turn | None = None,
    ) -> None:
        self.name = process.name
        self.config = config
        self.media_fd = media_fd
        self.stopping = False
        self._process = process
        self._memory = memory
        self._turn = turn
        self._roster = (-1, Roster())
        self._take_row(standby_of(process.name) if turn else process.name)

    def _take_row(self, row: str) -> None:
        self.vitals = Vitals(self._memory.vitals(row))
        self.log = Log(row, self.journal)
        self._journal = TextWriter(self._memory.writer("journal", row))

    @property
    def is_waiting(self) -> bool:
        """Whether this is a standby whose turn has not come."""
        return self._turn is not None

    @property
    def memory(self) -> Memory:
        """The shared memory. Raises RuntimeError in a standby before its turn: every ring has one reader."""
        if self._turn:
            raise RuntimeError(f"a standby of {self.name} touches nothing that is shared before `stand_by` returns")
        return self._memory

    def stand_by(self) -> None:
        """Everything is loaded: whoever is a standby waits here until it takes over, others go on at once."""
        if self._turn:
            self.vitals.ready()
            self._turn.wait(self.vitals.beat)
            self._turn = None
            self._take_row(self.name)

    def ready(self) -> None:
        """Say that everything is loaded and warm. From now on the heartbeat has a deadline."""
        self.vitals.ready()

    def beat(self) -> None:
        """Show that the work loop turns; for a process with a loop of its own."""
        self.vitals.beat()

    def turns(self, idle_s: float = 0.1) -> Iterator[None]:
        """The work loop: each turn beats the heart, and ends in sleep until there is work or `idle_s` is over.

        The loop ends when the process is told to stop.
        """
        doorbell = self.memory.doorbell(self.name)
        while not self.stopping:
            self.beat()
            yield
            self.beat()
            if not self.stopping:
                doorbell.wait(idle_s)

    @contextmanager
    def busy(self, limit_s: float | None = None, may_rest: bool = False) -> Iterator[None]:
        """Mark one engine call; longer than `limit_s` (default: `busy_s` of the process table) counts as stuck.

        So does one that uses no processor time, unless it `may_rest`: another machine answers, or its caller counts.
        """
        allowed_s = self._process.busy_s if limit_s is None else limit_s
        outer = self.vitals.busy_until_ns, self.vitals.may_rest
        self.vitals.may_rest = may_rest
        self.vitals.busy_until_ns = clock.now_ns() + int(allowed_s * NS_PER_S)
        try:
            yield
        finally:
            self.beat()
            self.vitals.busy_until_ns, self.vitals.may_rest = outer

    def busy_since(self, began_ns: int | None) -> None:
        """Mark engine calls in other threads: when the oldest of them began; None: there is none."""
        limit_ns = int(self._process.busy_s * NS_PER_S)
        self.vitals.busy_until_ns = 0 if began_ns is None else began_ns + limit_ns

    def give_up(self, why: str) -> None:
        """Something hangs in this process that only another one can do: wait until the watchdog has seen to that."""
        self.log.error(why)
        self.vitals.busy_until_ns = LONG_AGO_NS
        while not self.stopping:
            clock.sleep_s(GIVE_UP_LOOK_S)

    def reader(self, ring: str, index: int = 0) -> RingReader:
        """The reading end of a ring of frames."""
        return self.memory.reader(ring, index)

    def writer(self, ring: str, index: int = 0) -> RingWriter:
        """The writing end of a ring of frames."""
        return self.memory.writer(ring, index)

    @overload
    def text_reader(self, ring: Literal["segments"], index: int = 0) -> TextReader[Segment]: ...
    @overload
    def text_reader(self, ring: Literal["translations"], index: int = 0) -> TextReader[Translation]: ...
    @overload
    def text_reader(self, ring: Literal["languages"], index: int = 0) -> TextReader[LanguageFound]: ...
    @overload
    def text_reader(self, ring: Literal["speakers"], index: int = 0) -> TextReader[SpeakerFound]: ...
    def text_reader(
        self, ring: str, index: int = 0
    ) -> TextReader[Segment] | TextReader[Translation] | TextReader[LanguageFound] | TextReader[SpeakerFound]:
        """The reading end of a ring of messages."""
        reader = self.memory.reader(ring, index)
        if ring == "languages":
            return TextReader(reader, LanguageFound)
        if ring == "speakers":
            return TextReader(reader, SpeakerFound)
        return TextReader(reader, Segment) if ring == "segments" else TextReader(reader, Translation)

    def text_writer(self, ring: str, index: int = 0) -> TextWriter:
        """The writing end of a ring of messages."""
        return TextWriter(self.memory.writer(ring, index))

    def roster(self) -> Roster:
        """Legs, lanes and booths in use; read again only when they have changed."""
        if self.memory.roster_version != self._roster[0]:
            self._roster = self.memory.read_roster()
        return self._roster[1]

    def journal(self, entry: JournalEntry) -> None:
        """Put an entry into this process's journal, which the watchdog writes out. Never blocks."""
        self._journal.write(entry)

    def journaled(self) -> list[JournalEntry]:
        """The last entries of this process's journal, oldest first, from before a restart too."""
        return self._journal.written(JournalEntry)
