"""The appliance at one moment, read from its shared memory by somebody who takes no part in it."""

import msgspec

from appliance import clock
from appliance.frames.memory import Memory
from appliance.frames.roster import Lane, Leg, Roster
from appliance.supervision.process_table import STANDBY
from appliance.supervision.vitals import State, Vitals
from appliance.units import NS_PER_MS, NS_PER_S


class ProcessView(msgspec.Struct, frozen=True):
    """One process, as its vital signs show it."""

    name: str
    state: str
    pid: int
    up_s: float
    heartbeat_age_ms: float | None  # None: not ready yet
    busy_left_ms: float | None  # until the deadline of its engine call; None: it is in none
    restarts: int
    counters: dict[str, int]
    waits_for: str = ""  # of a standby: the process that it takes over from


class RingView(msgspec.Struct, frozen=True):
    """One ring that has been used: frames waiting in it, frames lost in it."""

    name: str
    index: int
    slots: int
    written: int
    depth: int
    dropped: int


class LegView(msgspec.Struct, frozen=True):
    """One person in a room."""

    place: int
    language: str
    hears: bool  # its ear is there
    uplink: RingView
    found: str = ""  # what it speaks, where `language` is "auto" and that is known
    speaker: str = ""  # the voice on file that it speaks with in other languages; empty: a stock voice
    chosen_by: str = ""  # "route", "number" or "voice"


class LaneView(msgspec.Struct, frozen=True):
    """One translation direction in a room."""

    place: int
    source_language: str
    target_language: str
    speaks: bool  # its booth is there
    downlink: RingView
    lag_ms: float | None  # how long ago that was said which is heard now; None: nothing is


class RoomView(msgspec.Struct, frozen=True):
    """One conversation."""

    name: str
    legs: tuple[LegView, ...]
    lanes: tuple[LaneView, ...]


class Snapshot(msgspec.Struct, frozen=True):
    """Everything there is to see."""

    instance: str
    processes: tuple[ProcessView, ...]
    rooms: tuple[RoomView, ...]
    rings: tuple[RingView, ...]

    @property
    def healthy(self) -> bool:
        """Whether every process is up. Who waits to take over is not needed as long as nothing happens."""
        return all(process.state in ("up", "late") for process in self.processes if not process.waits_for)


def take(memory: Memory) -> Snapshot:
    """Look at everything once. The parts are from slightly different moments; nobody is stopped for it."""
    now_ns = clock.now_ns()
    rings = (_ring(memory, name, index) for name, index in memory.rings())
    return Snapshot(
        memory.instance,
        tuple(_process(name, Vitals(memory.vitals(name)), now_ns) for name in memory.layout.processes),
        _rooms(memory, memory.read_roster()[1], now_ns),
        tuple(ring for ring in rings if ring.written),
    )


def _process(name: str, vitals: Vitals, now_ns: int) -> ProcessView:
    signs = vitals.signs()
    running = vitals.state not in (State.STOPPED, State.WAITING, State.CIRCUIT_OPEN)
    process, standby, _ = name.partition(STANDBY)
    return ProcessView(
        name=name,
        state=vitals.state.name.lower(),
        pid=vitals.pid if running else 0,
        up_s=(now_ns - signs.spawned_ns) / NS_PER_S if running else 0.0,
        heartbeat_age_ms=(now_ns - signs.heartbeat_ns) / NS_PER_MS if signs.ready_ns and running else None,
        busy_left_ms=(signs.busy_until_ns - now_ns) / NS_PER_MS if signs.busy_until_ns and running else None,
        restarts=vitals.exits,
        counters=vitals.counters(),
        waits_for=process if standby else "",
    )


def _ring(memory: Memory, name: str, index: int) -> RingView:
    state = memory.ring_state(name, index)
    return RingView(name, index, state.slots, state.head, state.depth, state.dropped)


def _rooms(memory: Memory, roster: Roster, now_ns: int) -> tuple[RoomView, ...]:
    legs = {leg.place: leg for leg in roster.legs}
    spoken = {booth.place for booth in roster.booths if booth.address}
    names = dict.fromkeys(leg.room for leg in roster.legs)  # in order, each once
    return tuple(
        RoomView(
            name,
            tuple(_leg(memory, leg) for leg in roster.legs if leg.room == name),
            tuple(
                _lane(memory, lane, legs[lane.leg], lane.booth in spoken, now_ns)
                for lane in roster.lanes
                if lane.leg in legs and legs[lane.leg].room == name
            ),
        )
        for name in names
    )


def _leg(memory: Memory, leg: Leg) -> LegView:
    uplink = _ring(memory, "uplink", leg.place)
    return LegView(leg.place, leg.language, leg.ear is not None, uplink, leg.found, leg.speaker, leg.chosen_by)


def _lane(memory: Memory, lane: Lane, leg: Leg, speaks: bool, now_ns: int) -> LaneView:
    downlink = _ring(memory, "downlink", lane.place)
    said_ns = memory.ring_state("downlink", lane.place).capture_ns
    lag_ms = (now_ns - said_ns) / NS_PER_MS if said_ns else None
    return LaneView(lane.place, leg.found or leg.language, lane.target_language, speaks, downlink, lag_ms)
