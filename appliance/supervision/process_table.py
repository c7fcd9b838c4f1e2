"""The processes of the appliance: what each reads and writes, and how long it may take."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Process:
    """One process: `module` has its `main(ctx)`; deadlines in seconds."""

    name: str
    module: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    ready_s: float  # from spawn to ready
    heartbeat_s: float  # between two turns of its work loop
    busy_s: float = 0.0  # inside one engine call; 0: it makes none
    owns_sockets: tuple[str, ...] = ()  # sockets the watchdog opened and hands down
    standby: bool = False  # a second one can wait, everything loaded, to take over at once; see [supervision]
    needed: bool = True  # for calls: without it the appliance is not ready
    is_first: bool = False  # it carries calls: when all begin, the others wait until it is ready


WATCHDOG = Process(
    "watchdog", "procs.watchdog", reads=("journal",), writes=("health", "timings"), ready_s=5, heartbeat_s=2
)

WORKERS = (
    Process(
        "rtp",
        "procs.rtp",
        ("downlink",),
        ("uplink",),
        ready_s=5,
        heartbeat_s=0.2,
        owns_sockets=("media",),
        standby=True,
        is_first=True,
    ),
    Process(
        "asr",
        "procs.asr",
        ("uplink",),
        ("segments", "languages", "speech"),
        ready_s=120,
        heartbeat_s=2,
        busy_s=15,
        standby=True,
    ),
    Process("mt", "procs.mt", ("segments",), ("translations",), ready_s=60, heartbeat_s=2, busy_s=5, standby=True),
    Process(
        "tts",
        "procs.tts",
        ("translations", "samples"),
        ("downlink",),
        ready_s=120,
        heartbeat_s=2,
        busy_s=30,
        standby=True,
    ),
    Process("voices", "procs.voices", ("speech",), ("speakers", "samples"), ready_s=60, heartbeat_s=10, needed=False),
    Process("ops", "procs.ops", ("health", "timings"), (), ready_s=60, heartbeat_s=10, needed=False),
    Process("calls", "procs.calls", ("languages", "speakers"), (), ready_s=10, heartbeat_s=2, is_first=True),
)

PROCESS_NAMES = (WATCHDOG.name, *(process.name for process in WORKERS))
STANDBY = "-standby"


def standby_of(name: str) -> str:
    """What the one is called that waits to take over for process `name`."""
    return name + STANDBY


def rows(standbys: Iterable[str]) -> tuple[str, ...]:
    """Everybody who has vital signs and a journal: the processes, and who waits for those of `standbys`."""
    return (*PROCESS_NAMES, *map(standby_of, standbys))
