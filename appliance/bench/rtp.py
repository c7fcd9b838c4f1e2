"""What a core carries of the rtp process's loop, side by side with the same on uvloop, and how late its tick comes.

The two loops do what both can. What only ours does is measured on top of that: the originals under their translations,
and the hurry of lanes that are behind.
"""

import multiprocessing
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

import msgspec

from appliance.bench.report import Measurement, Report, Target, at_least, at_most, this_machine
from appliance.bench.rtp_loops import Carried, Load, run_dragoman, run_phones, run_uvloop
from appliance.config import MediaConfig
from appliance.frames.roster import Address
from appliance.supervision.sockets import open_media_socket
from appliance.units import FRAME_NS, FRAMES_PER_S

Loop = Callable[[socket.socket, Load, Connection], None]

LOOPS: dict[str, Loop] = {"dragoman": run_dragoman, "uvloop": run_uvloop}

EXTRAS = {"dragoman, originals": {"originals": True}, "dragoman, all behind": {"behind": True}}

_ALONE_LEGS = 8
_LIMIT_S = 60.0  # for a process to answer beyond the time it measures
_SPAWN = multiprocessing.get_context("spawn")


class Cost(msgspec.Struct, frozen=True):
    """What one loop took."""

    cpu_us: float  # per leg and tick
    legs_per_core: float
    late_p50_us: float  # of its tick
    late_p99_us: float
    frames: float  # carried uplink, per leg and tick: 1 when nothing was lost


def run(
    legs: int = 200,
    seconds: float = 2.0,
    repeats: int = 5,
    alone_seconds: float = 10.0,
    progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """Let both loops in turn carry `legs` for `seconds`, `repeats` times; then ours with each extra, once; then ours a
    few legs, for its punctuality.

    Medians are reported. Takes about (2 x `repeats` + 2) x (`seconds` + 2) + `alone_seconds` + 2 s. `progress` gets a
    line before each pass.
    Raises SocketError when no socket can be had, RuntimeError when a loop fails.
    """
    passes: dict[str, list[Cost]] = {name: [] for name in LOOPS}
    for repeat in range(repeats):
        for name, loop in LOOPS.items():
            progress(f"pass {repeat + 1} of {repeats}: {name}")
            passes[name].append(_cost(loop, legs, round(seconds * FRAMES_PER_S)))
    extras = {}
    for name, extra in EXTRAS.items():
        progress(name)
        extras[name] = _cost(run_dragoman, legs, round(seconds * FRAMES_PER_S), **extra)
    progress(f"the tick, with {_ALONE_LEGS} legs")
    alone = _cost(run_dragoman, _ALONE_LEGS, round(alone_seconds * FRAMES_PER_S))
    costs = {name: _median(of_loop) for name, of_loop in passes.items()}
    return Report(this_machine(), tuple(_measurements(costs, extras, alone)), tuple(_targets(costs, alone)))


def _cost(loop: Loop, legs: int, ticks: int, **extra: bool) -> Cost:
    """Run one loop and its phones in processes of their own."""
    with open_media_socket(MediaConfig(port=0)) as media:
        host, port = media.getsockname()
        with _child(run_phones, Address(host, port), legs) as phones:
            ears, booth = _hear(phones)
            with _child(loop, media, Load(ears, booth, ticks, **extra)) as loop_end:
                carried: Carried = _hear(loop_end, ticks / FRAMES_PER_S)
            phones.send("enough")
    cpu_ns = carried.cpu_ns / (legs * ticks)
    late_us = sorted(carried.late_us)
    return Cost(
        cpu_us=cpu_ns / 1000,
        legs_per_core=FRAME_NS / cpu_ns,
        late_p50_us=late_us[len(late_us) // 2],
        late_p99_us=late_us[len(late_us) * 99 // 100],
        frames=carried.uplink_frames / (legs * ticks),
    )


@contextmanager
def _child(run: Callable[..., None], *given: object) -> Iterator[Connection]:
    here, there = _SPAWN.Pipe()
    process = _SPAWN.Process(target=run, args=(*given, there), daemon=True)
    process.start()
    there.close()
    try:
        yield here
        process.join(_LIMIT_S)
    finally:
        process.kill()
        process.join()
        here.close()


def _hear(pipe: Connection, expected_s: float = 0.0) -> Any:
    if not pipe.poll(expected_s + _LIMIT_S):
        raise RuntimeError("bench rtp: a process did not answer; is this machine busy with something else?")
    try:
        return pipe.recv()
    except EOFError:
        raise RuntimeError("bench rtp: a process has failed; what it wrote stands above") from None


def _median(passes: list[Cost]) -> Cost:
    return Cost(*(median(getattr(one, name) for one in passes) for name in Cost.__struct_fields__))


def _measurements(costs: dict[str, Cost], extras: dict[str, Cost], alone: Cost) -> Iterator[Measurement]:
    for subject, cost in {**costs, **extras}.items():
        yield Measurement(subject, "CPU per leg and tick", cost.cpu_us, "µs")
        yield Measurement(subject, "legs per core", cost.legs_per_core, "")
        yield Measurement(subject, "frames per leg and tick", cost.frames, "")
    for subject, cost in {**costs, f"dragoman, {_ALONE_LEGS} legs": alone}.items():
        yield Measurement(subject, "tick late p50", cost.late_p50_us, "µs")
        yield Measurement(subject, "tick late p99", cost.late_p99_us, "µs")


def _targets(costs: dict[str, Cost], alone: Cost) -> Iterator[Target]:
    ratio = costs["dragoman"].legs_per_core / costs["uvloop"].legs_per_core
    yield at_least("legs per core, against uvloop", ratio, 1.8)
    yield at_most("tick late p99, machine otherwise idle", alone.late_p99_us / 1000, 1.0, "ms")
