"""One run of `bench lag`: the appliance as it is, but for `calls` and Asterisk, interpreting a stream at real time."""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
from numpy.typing import NDArray

from appliance import clock
from appliance.bench import lag_table
from appliance.bench.lag_speech import Stream
from appliance.bench.lag_wire import HOST, Wire
from appliance.config import Config, SupervisionConfig
from appliance.demo.box import Box, BoxError
from appliance.demo.call import heard_until_ns
from appliance.demo.child import free_ports
from appliance.frames.memory import Memory
from appliance.frames.messages import JournalEntry
from appliance.frames.roster import Address, Booth, Lane, Leg, Roster
from appliance.units import NS_PER_S

PROCESSES = tuple(process.name for process in lag_table.WORKERS)
OTHERS = "other programs"
DISTURBING_PERCENT = 25.0  # of a core: with less the figures are those of this machine
CALL = 1
LOOK_S = 0.25
HEARD_S = 60.0  # after everything was said
QUIET_S = 2.0  # nothing more is on its way


@dataclass(frozen=True, slots=True)
class Run:
    """What a run left behind. `heard`: the sound of each lane's booth, from the stream's beginning, 16 kHz."""

    entries: list[JournalEntry]
    start_ns: int
    cpu_percent: dict[str, float]  # of one core, by process; OTHERS: all other programs on this machine
    counters: dict[str, dict[str, int]]  # by process
    heard: list[NDArray[np.int16]]

    @property
    def disturbance(self) -> str:
        """Why the figures may be worse than this machine, as a sentence; "" where nothing disturbed the run."""
        percent = self.cpu_percent.get(OTHERS, 0.0)
        if percent < DISTURBING_PERCENT:
            return ""
        return f"other programs took {percent:.0f} % of a core meanwhile; on a quiet machine the figures are better"


def bench_config(base: Config, speakers: int, targets: int) -> Config:
    """`base` with an instance, a port and places of its own."""
    (port,) = free_ports(1)
    return msgspec.structs.replace(
        base,
        instance=f"bench-lag-{os.getpid()}",
        media=msgspec.structs.replace(base.media, host=HOST, port=port),
        supervision=SupervisionConfig(standbys=()),  # whose loading would be measured as well
        max_legs=max(2, speakers),
        max_lanes=max(2, speakers * targets),
        phones=(),
        trunks=(),
        routes=(),
    )


def interpret(
    base: Config, stream: Stream, source: str, targets: Sequence[str], speakers: int, directory: Path,
    progress: Callable[[str], None],
) -> Run:  # fmt: skip
    """Let `speakers` people read the stream at once, each in a room alone, into every target language.

    Lane number speaker · targets + target. Raises BoxError.
    """
    config = bench_config(base, speakers, len(targets))
    media = Address(config.media.host, config.media.port)
    with ExitStack() as opened:
        wire = opened.enter_context(Wire([stream.samples] * speakers, speakers * len(targets), media))
        progress("starting the appliance")
        box = opened.enter_context(Box(config, directory, lag_table.__name__))
        memory = Memory.attach(config.instance)
        opened.callback(memory.close)
        memory.write_roster(roster(wire, source, targets))
        return _read_aloud(wire, box, progress)


def roster(wire: Wire, source: str, targets: Sequence[str]) -> Roster:
    """A leg for every ear, and for each of them a booth and a lane for every target language."""
    legs = tuple(Leg(place, CALL, f"bench{place}", source, ear) for place, ear in enumerate(wire.ears))
    pairs = [(leg, target) for leg in legs for target in targets]
    ends = [booth.address for booth in wire.booths]
    booths = tuple(Booth(i, leg.room, target, ends[i]) for i, (leg, target) in enumerate(pairs))
    lanes = tuple(Lane(i, CALL, leg.place, target, booth=i) for i, (leg, target) in enumerate(pairs))
    return Roster(legs, lanes, booths)


def _read_aloud(wire: Wire, box: Box, progress: Callable[[str], None]) -> Run:
    workers = [psutil.Process(box.process_id(name)) for name in PROCESSES]
    before = _cpu_s(workers)
    wire.start()
    _until_heard(wire, box, progress)
    took_s = (clock.now_ns() - wire.start_ns) / NS_PER_S
    after = _cpu_s(workers)
    wire.stop()
    return Run(
        entries=box.entries(),
        start_ns=wire.start_ns,
        # The two clocks behind OTHERS are not read at once: where nothing else runs, it may come out below nothing.
        cpu_percent={name: max(0.0, 100 * (after[name] - before[name]) / took_s) for name in after},
        counters=box.counters(),
        heard=[booth.heard(wire.start_ns) for booth in wire.booths],
    )


def _until_heard(wire: Wire, box: Box, progress: Callable[[str], None]) -> None:
    length_s = (wire.speech_end_ns - wire.start_ns) / NS_PER_S
    while (now_ns := clock.now_ns()) < wire.speech_end_ns + HEARD_S * NS_PER_S:
        clock.sleep_s(LOOK_S)
        progress(f"{min(length_s, (now_ns - wire.start_ns) / NS_PER_S):.0f} of {length_s:.0f} s read aloud")
        if now_ns > wire.speech_end_ns + QUIET_S * NS_PER_S:
            heard_ns = heard_until_ns(box.entries(), wire.start_ns)
            if heard_ns is not None and now_ns > heard_ns + QUIET_S * NS_PER_S:
                return


def _cpu_s(workers: Sequence[psutil.Process]) -> dict[str, float]:
    """CPU time used so far, by process and by all OTHERS. Raises BoxError when one was restarted meanwhile."""
    try:
        own = {name: _busy_s(worker.cpu_times()) for name, worker in zip(PROCESSES, workers, strict=True)}
    except psutil.NoSuchProcess:
        raise BoxError("a process of the appliance has ended during the measurement; dragoman up shows why") from None
    others = _busy_s(psutil.cpu_times()) - _busy_s(psutil.Process().cpu_times()) - sum(own.values())
    return own | {OTHERS: others}


def _busy_s(times: Any) -> float:
    return float(times.user + getattr(times, "nice", 0.0) + times.system)  # a process has no time of its own for nice
