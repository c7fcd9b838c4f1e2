"""Moves what the processes have put into their journals to the log."""

from collections.abc import Iterable

from appliance.frames.memory import Memory
from appliance.frames.messages import JournalEntry
from appliance.frames.text import TextReader
from appliance.supervision.chronicle import Chronicle
from appliance.supervision.vitals import Vitals


class Journals:
    """The reading ends of all journals; `vitals` are those of the reader, who counts what came too fast for it."""

    def __init__(self, memory: Memory, processes: Iterable[str], vitals: Vitals, out: Chronicle) -> None:
        self._readers = [TextReader[JournalEntry](memory.reader("journal", name), JournalEntry) for name in processes]
        self._vitals = vitals
        self._out = out

    def drain(self) -> None:
        """Write out everything that is there."""
        for reader in self._readers:
            while (entry := reader.read()) is not None:
                self._out.write(entry)
        self._vitals.set("dropped_messages", self._out.lost + sum(reader.dropped for reader in self._readers))
