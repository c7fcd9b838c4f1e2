"""What a frame's hop from process to process costs: this ring against its peers, side by side at the 20 ms tick."""

import gc
import multiprocessing
import time
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

import msgspec

from appliance.bench.contenders import OURS, PEERS, Contender, Ring, RingOneByOne
from appliance.bench.report import Measurement, Report, Target, at_most, this_machine
from appliance.clock import Ticker, now_ns
from appliance.units import FRAME_NS, FRAMES_PER_S

_LIMIT_S = 60.0  # for a side to start, and for the receiver to finish
_SETTLE_S = 0.3  # between the last preparation and the first frame


class Sent(msgspec.Struct, frozen=True):
    """What the sending side saw."""

    cpu_s: float
    sending_ns: list[int]  # by tick: from the first frame handed over to the last


class Received(msgspec.Struct, frozen=True):
    """What the receiving side saw."""

    cpu_s: float
    under_way_ns: list[int]  # by frame: from its tick until the receiver had it


class Cost(msgspec.Struct, frozen=True):
    """What one contender took, in µs."""

    cpu_us: float  # of both sides, per frame
    hop_p50_us: float
    hop_p99_us: float
    publish_us: float  # of the sender's time, per frame


def run(
    legs: int = 200, seconds: float = 1.0, repeats: int = 5, progress: Callable[[str], None] = lambda _: None
) -> Report:
    """Let every contender in turn carry `legs` x 50 frames/s for `seconds`, `repeats` times; medians are reported.

    Takes about 6 x `repeats` x (`seconds` + 1) s. `progress` gets a line before each pass.
    Raises MemoryRefused when /dev/shm has no room for the rings, RuntimeError when a contender fails.
    """
    costs: dict[str, list[Cost]] = {}
    for repeat in range(repeats):
        for make in (*OURS, *PEERS):
            contender = make(legs)
            progress(f"pass {repeat + 1} of {repeats}: {contender.name}")
            try:
                costs.setdefault(contender.name, []).append(_cost(contender, legs, round(seconds * FRAMES_PER_S)))
            finally:
                contender.close()
    medians = {name: _median(passes) for name, passes in costs.items()}
    return Report(this_machine(), tuple(_measurements(medians)), tuple(_targets(medians)))


def _cost(contender: Contender, legs: int, ticks: int) -> Cost:
    """Run both sides in processes of their own and put together what they saw."""
    spawn = multiprocessing.get_context("spawn")
    sides = []
    try:
        for side in (_receive, _send):
            here, there = spawn.Pipe()
            process = spawn.Process(target=side, args=(contender, there, legs, ticks), daemon=True)
            process.start()
            there.close()
            sides.append((process, here))
        for _, pipe in sides:
            _hear(contender, pipe)  # ready
        for _, pipe in sides:
            pipe.send("go")
        received, sent = (_hear(contender, pipe) for _, pipe in sides)
    finally:
        for process, pipe in sides:
            process.kill()
            process.join()
            pipe.close()
    return _put_together(sent, received, legs * ticks)


def _hear(contender: Contender, pipe: Connection) -> Any:
    if pipe.poll(_LIMIT_S):
        return pipe.recv()
    raise RuntimeError(f"{contender.name}: no answer from one side in {_LIMIT_S:.0f} s")


def _receive(contender: Contender, pipe: Connection, legs: int, ticks: int) -> None:
    """The receiving process."""
    receive = contender.receiver()
    _prepare(pipe)
    began_s = time.process_time()
    under_way_ns = receive(legs * ticks)
    pipe.send(Received(time.process_time() - began_s, under_way_ns))
    pipe.poll(None)  # until the benchmark hangs up


def _send(contender: Contender, pipe: Connection, legs: int, ticks: int) -> None:  # noqa: ARG001 (both sides alike)
    """The sending process: one frame of every leg at each tick, stamped when the tick begins."""
    send, finish = contender.sender()
    _prepare(pipe)
    time.sleep(_SETTLE_S)
    sending_ns = []
    ticker = Ticker(FRAME_NS)
    pacing_s = 0.0  # sleeping until the tick is not free, and nobody's fault
    began_s = time.process_time()
    for _ in range(ticks):
        idle_s = time.thread_time()
        ticker.wait()
        pacing_s += time.thread_time() - idle_s
        stamp_ns = now_ns()
        send(stamp_ns)
        sending_ns.append(now_ns() - stamp_ns)
    finish()
    pipe.send(Sent(time.process_time() - began_s - pacing_s, sending_ns))
    pipe.poll(None)


def _prepare(pipe: Connection) -> None:
    """Both sides run as the appliance's processes do: without pauses for garbage collection."""
    gc.freeze()
    gc.disable()
    pipe.send("ready")
    pipe.recv()


def _put_together(sent: Sent, received: Received, frames: int) -> Cost:
    if len(received.under_way_ns) != frames:
        raise RuntimeError(f"only {len(received.under_way_ns)} of {frames} frames arrived")
    under_way_us = sorted(ns / 1000 for ns in received.under_way_ns)
    return Cost(
        cpu_us=(sent.cpu_s + received.cpu_s) * 1e6 / frames,
        hop_p50_us=under_way_us[frames // 2],
        hop_p99_us=under_way_us[frames * 99 // 100],
        publish_us=median(sent.sending_ns) / 1000 / (frames / len(sent.sending_ns)),
    )


def _median(passes: list[Cost]) -> Cost:
    return Cost(*(median(figures) for figures in zip(*map(msgspec.structs.astuple, passes), strict=True)))


def _measurements(costs: dict[str, Cost]) -> Iterable[Measurement]:
    for name, cost in costs.items():
        yield Measurement(name, "CPU per frame", cost.cpu_us, "µs")
        yield Measurement(name, "hop p50", cost.hop_p50_us, "µs")
        yield Measurement(name, "hop p99", cost.hop_p99_us, "µs")
        yield Measurement(name, "publish", cost.publish_us, "µs")


def _targets(costs: dict[str, Cost]) -> Iterable[Target]:
    """Each against whichever peer is best at it."""
    ring = costs[Ring.name]
    peers = [costs[peer.name] for peer in PEERS]
    yield at_most("CPU per frame / best peer's", ring.cpu_us / min(peer.cpu_us for peer in peers), 0.45)
    yield at_most("hop p50 / best peer's", ring.hop_p50_us / min(peer.hop_p50_us for peer in peers), 0.5)
    yield at_most("hop p99 / best peer's", ring.hop_p99_us / min(peer.hop_p99_us for peer in peers), 0.8)
    yield at_most("publish one frame", costs[RingOneByOne.name].publish_us, 2.0, "µs")
