"""What a frame's hop from process to process costs: this ring against its peers, side by side at the 20 ms tick."""

import gc
import multiprocessing
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

import msgspec

from appliance.bench.contenders import OURS, PEERS, Contender, Ring, RingOneByOne, Send
from appliance.bench.report import Measurement, Report, Target, at_most, this_machine
from appliance.clock import Ticker, now_ns
from appliance.units import FRAME_NS, FRAMES_PER_S, NS_PER_S

# The contenders take turns of a fifth of a second, all their processes being there all the time: a machine that others
# use, too, is fast now and slow then, and everybody shall have the same of both.
_TURN_TICKS = 10
_WARM_TICKS = 2  # at the start of a turn, not counted: the caches are cold
_REST_TICKS = 2  # between two turns
_TURN_NS = (_WARM_TICKS + _TURN_TICKS + _REST_TICKS) * FRAME_NS
_START_S = 60.0  # for a process to be ready
_SETTLE_NS = NS_PER_S // 2  # between the last one's being ready and the first turn


class Plan(msgspec.Struct, frozen=True):
    """When one contender sends what."""

    legs: int
    turns_ns: tuple[int, ...]  # when its turns begin, CLOCK_MONOTONIC


class Sent(msgspec.Struct, frozen=True):
    """What the sending side saw in one turn."""

    cpu_s: float
    sending_ns: list[int]  # by tick: from the first frame handed over to the last


class Received(msgspec.Struct, frozen=True):
    """What the receiving side saw in one turn."""

    cpu_s: float
    under_way_ns: list[int]  # by frame: from its tick until the receiver had it


class Cost(msgspec.Struct, frozen=True):
    """What one contender took, in µs."""

    cpu_us: float  # of both sides, per frame; sleeping until the tick is not counted
    hop_p50_us: float
    hop_p99_us: float
    publish_us: float  # of the sender's time, per frame


def run(legs: int = 200, seconds: float = 1.0, repeats: int = 5) -> Report:
    """Let every contender carry `legs` x 50 frames/s for `seconds`, `repeats` times; medians over these are reported.

    Takes about 9 x `repeats` x `seconds` and a few seconds more.
    Raises MemoryRefused when /dev/shm has no room for the rings, RuntimeError when a contender fails.
    """
    turns = max(1, round(seconds * FRAMES_PER_S / _TURN_TICKS))
    with ExitStack() as stack:
        contenders: list[Contender] = []
        for make in (*OURS, *PEERS):
            contenders.append(make(legs))
            stack.callback(contenders[-1].close)
        seen = _take_turns(contenders, legs, turns * repeats)
    costs = {
        contender.name: _median([_cost(sides[first : first + turns]) for first in range(0, len(sides), turns)])
        for contender, sides in zip(contenders, seen, strict=True)
    }
    return Report(this_machine(), tuple(_measurements(costs)), tuple(_targets(costs)))


def _take_turns(contenders: Sequence[Contender], legs: int, turns: int) -> list[list[tuple[Sent, Received]]]:
    """Run both sides of all contenders in processes of their own; returns what they saw, by contender and turn."""
    processes = []
    try:
        for contender in contenders:
            processes += [_start(_receive, contender), _start(_send, contender)]
        pipes = [pipe for _, pipe in processes]
        for pipe in pipes:
            _hear(pipe, _START_S)  # ready
        round_ns = len(contenders) * _TURN_NS
        begin_ns = now_ns() + _SETTLE_NS
        for index, pipe in enumerate(pipes):
            first_ns = begin_ns + index // 2 * _TURN_NS
            pipe.send(Plan(legs, tuple(first_ns + turn * round_ns for turn in range(turns))))
        limit_s = turns * round_ns / NS_PER_S + _START_S
        seen = [_hear(pipe, limit_s) for pipe in pipes]
    finally:
        for process, pipe in processes:
            process.kill()
            process.join()
            pipe.close()
    return [list(zip(sent, received, strict=True)) for received, sent in zip(seen[::2], seen[1::2], strict=True)]


def _start(side: Any, contender: Contender) -> tuple[Any, Connection]:
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=side, args=(contender, there), name=f"{contender.name}{side.__name__}", daemon=True)
    process.start()
    there.close()
    return process, here


def _hear(pipe: Connection, limit_s: float) -> Any:
    if pipe.poll(limit_s):
        return pipe.recv()
    raise RuntimeError(f"the benchmark is stuck: one of its processes said nothing for {limit_s:.0f} s")


def _receive(contender: Contender, pipe: Connection) -> None:
    """The receiving process."""
    receive, under_way = contender.receiver()
    plan = _prepare(pipe)
    seen = []
    for _ in plan.turns_ns:
        warm = receive(plan.legs * _WARM_TICKS)  # a late receiver's batch may reach into the first counted tick
        began_s = time.process_time()
        receive(plan.legs * (_WARM_TICKS + _TURN_TICKS) - warm)
        cpu_s = time.process_time() - began_s
        seen.append(Received(cpu_s, under_way()[-plan.legs * _TURN_TICKS :]))
    _tell(pipe, seen)


def _send(contender: Contender, pipe: Connection) -> None:
    """The sending process: one frame of every leg at each tick, stamped when the tick begins."""
    send, finish = contender.sender()
    plan = _prepare(pipe)
    seen = []
    for turn_ns in plan.turns_ns:
        time.sleep(max(0, turn_ns - now_ns()) / NS_PER_S)
        ticker = Ticker(FRAME_NS)
        _send_ticks(send, ticker, _WARM_TICKS)
        seen.append(_send_ticks(send, ticker, _TURN_TICKS))
    finish()
    _tell(pipe, seen)


def _send_ticks(send: Send, ticker: Ticker, ticks: int) -> Sent:
    sending_ns = []
    ticker.wait()
    began_s = time.process_time()
    pacing_s = 0.0  # what sleeping until the tick takes is no contender's fault
    for _ in range(ticks):
        stamp_ns = now_ns()
        send(stamp_ns)
        sending_ns.append(now_ns() - stamp_ns)
        idle_s = time.thread_time()
        ticker.wait()  # also after the last: a contender's own threads may still be at it
        pacing_s += time.thread_time() - idle_s
    return Sent(time.process_time() - began_s - pacing_s, sending_ns)


def _prepare(pipe: Connection) -> Plan:
    """Both sides run as the appliance's processes do: without pauses for garbage collection."""
    gc.freeze()
    gc.disable()
    pipe.send("ready")
    plan: Plan = pipe.recv()
    return plan


def _tell(pipe: Connection, seen: list[Any]) -> None:
    """Hand over, and stay until the benchmark hangs up: what is on its way to the other side needs us."""
    pipe.send(seen)
    pipe.poll(None)


def _cost(sides: Sequence[tuple[Sent, Received]]) -> Cost:
    """Put together what both sides saw in the turns of one repeat."""
    under_way_us = sorted(ns / 1000 for _, received in sides for ns in received.under_way_ns)
    sending_us = [ns / 1000 for sent, _ in sides for ns in sent.sending_ns]
    frames = len(under_way_us)
    return Cost(
        cpu_us=sum(sent.cpu_s + received.cpu_s for sent, received in sides) * 1e6 / frames,
        hop_p50_us=under_way_us[frames // 2],
        hop_p99_us=under_way_us[frames * 99 // 100],
        publish_us=median(sending_us) / (frames / len(sending_us)),
    )


def _median(repeats: Sequence[Cost]) -> Cost:
    return Cost(*(median(figures) for figures in zip(*map(msgspec.structs.astuple, repeats), strict=True)))


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
