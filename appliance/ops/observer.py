"""Looks at the appliance from outside, some times a second, and remembers what it saw."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance import clock
from appliance.config import EnginesConfig
from appliance.frames.memory import Memory
from appliance.frames.messages import HealthEvent
from appliance.frames.ring import RingReader
from appliance.frames.roster import Roster
from appliance.frames.text import TextReader
from appliance.ops.history import History
from appliance.ops.measures import Measures
from appliance.ops.stillness import Stillness
from appliance.ops.timings import Timing, Timings
from appliance.ops.window import Report, Totals, Window
from appliance.supervision import snapshot
from appliance.supervision.process_table import WORKERS
from appliance.supervision.vitals import State, Vitals
from appliance.tls.certificate import Standing
from appliance.units import NS_PER_S

NS_PER_US = 1000
STILL_NS = 5 * NS_PER_S
GOOD_STATES = (State.UP, State.LATE)
STAGES = ("asr", "mt", "tts")
SHM = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Room:
    """Room on a file system, in bytes."""

    free_bytes: int
    size_bytes: int


class Observer:
    """One pair of eyes on `memory`; `disk` is a folder, there or not yet, on the disk that matters.

    A restarted observer reads all that the ring of health events still has, and counts on from where it had stopped.
    """

    def __init__(
        self, memory: Memory, disk: Path, engines: EnginesConfig | None = None, trunks: Sequence[str] = ()
    ) -> None:
        self.memory = memory
        self.trunks = trunks
        self.engines = engines or EnginesConfig()
        self.history = History()
        self.measures = Measures(memory.measures())
        self.legs_unheard = 0  # nothing has come from their ear for STILL_NS
        self.lanes_unspoken = 0  # their booth has been missing for STILL_NS
        self.certificates: dict[str, Standing] = {}  # by what shows them; whoever looks after them writes it
        self._disk = next(folder for folder in (disk, *disk.absolute().parents) if folder.exists())
        health = memory.reader("health")
        self._counted_until = health.committed
        _look_back(health)
        self._health = TextReader[HealthEvent](health, HealthEvent)
        # Greater than all of the run before it, for a run has less than one event in a microsecond.
        self._first_number = self.vitals("watchdog").spawned_ns // NS_PER_US
        self._timing_entries = TextReader[Timing](memory.reader("timings"), Timing)
        self._timings = Timings()
        self._window = Window()
        self._ears = Stillness[tuple[int, int]](STILL_NS)
        self._booths = Stillness[tuple[int, int]](STILL_NS)

    def look(self) -> None:
        """Take in what is new."""
        now_ns = clock.now_ns()
        self._read_health()
        self._read_timings(now_ns)
        self._window.count(self._totals(), now_ns)
        self._look_for_silence(self.memory.read_roster()[1], now_ns)

    def snapshot(self) -> snapshot.Snapshot:
        """Everything in shared memory, as it is now."""
        return snapshot.take(self.memory)

    def report(self) -> Report:
        """The last minute."""
        rooms = {leg.room for leg in self.memory.read_roster()[1].legs}
        return self._window.report(len(rooms), clock.now_ns())

    def vitals(self, process: str) -> Vitals:
        """The vital signs of one process."""
        return Vitals(self.memory.vitals(process))

    @property
    def asterisk_up(self) -> bool:
        """Whether the appliance and Asterisk are in touch."""
        return self.vitals("calls").get("asterisk_up") == 1

    def missing(self) -> list[str]:
        """What calls need and is not there, each in a few words."""
        states = {process.name: self.vitals(process.name).state for process in WORKERS if process.needed}
        missing = [f"{name}: {state.words}" for name, state in states.items() if state not in GOOD_STATES]
        return missing if self.asterisk_up else [*missing, "asterisk: does not answer"]

    def rooms_for_data(self) -> dict[str, Room]:
        """Room in memory and on the disk, by place."""
        found = {}
        for place, path in (("shm", SHM), ("disk", self._disk)):
            usage = shutil.disk_usage(path)
            found[place] = Room(usage.free, usage.total)
        return found

    def _read_health(self) -> None:
        while (event := self._health.read()) is not None:
            position = self._health.position
            self.history.add(self._first_number + position, event)
            if position > self._counted_until:
                self.measures.count_event()
                self._counted_until = position
                self._health.commit()

    def _read_timings(self, now_ns: int) -> None:
        """Committed after it has been counted: one entry may be counted twice when this process dies, none is lost."""
        while (entry := self._timing_entries.read()) is not None:
            for duration in self._timings.take(entry):
                self.measures.observe(duration.name, duration.seconds)
                self._window.observe(duration.name, duration.seconds, now_ns)
            self._timing_entries.commit()

    def _totals(self) -> Totals:
        rtp = self.vitals("rtp")
        return Totals(
            frames=rtp.get("uplink_frames") + rtp.get("downlink_frames"),
            results=sum(self.measures.histogram(stage).count for stage in STAGES),
            errors=sum(self.vitals(stage).get("engine_errors") for stage in STAGES),
        )

    def _look_for_silence(self, roster: Roster, now_ns: int) -> None:
        """Asterisk sends 50 packets a second for each ear, also while nobody speaks: a ring that stands is a fault."""
        heads = {(leg.place, leg.call): self.memory.ring_state("uplink", leg.place).head for leg in roster.legs}
        self.legs_unheard = self._ears.look(heads, now_ns)
        there = {booth.place for booth in roster.booths if booth.address}
        waiting = {leg.place for leg in roster.legs if leg.is_unknown}
        mute = {
            (lane.place, lane.call): 0 for lane in roster.lanes if lane.booth not in there and lane.leg not in waiting
        }
        self.lanes_unspoken = self._booths.look(mute, now_ns)


def _look_back(ring: RingReader) -> None:
    """Read next what is the oldest in the ring."""
    ring.seek(max(0, ring.head - ring.slots))
