"""Where everything goes that the appliance has to say: all of it to the log, what operators watch to `ops` as well."""

from appliance.frames.memory import Memory
from appliance.frames.messages import FirstAudio, HealthEvent, JournalEntry, Spoken, Translation
from appliance.frames.text import TextWriter
from appliance.log import JsonLines


class Chronicle:
    """The watchdog's pen. Never blocks: rings overwrite their oldest entry, whether `ops` lives or not."""

    def __init__(self, log: JsonLines, memory: Memory) -> None:
        self._log = log
        self._health = TextWriter(memory.writer("health"))
        self._timings = TextWriter(memory.writer("timings"))

    @property
    def lost(self) -> int:
        """Entries that the log had no room for."""
        return self._log.lost

    def write(self, entry: JournalEntry) -> None:
        """Take down one entry."""
        self._log.write(entry)
        if isinstance(entry, HealthEvent):
            self._health.write(entry)
        elif isinstance(entry, (Translation, Spoken, FirstAudio)):
            self._timings.write(entry)

    def flush(self) -> None:
        """Write out what the log could not take so far."""
        self._log.flush()
