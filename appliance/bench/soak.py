"""Whether anything grows while calls come and go for a long time: the memory of each process, and the lag."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import numpy as np
import psutil

from appliance import clock
from appliance.bench.report import Measurement, Report, at_least, at_most, this_machine
from appliance.config import Config
from appliance.demo.fleet import Fleet, FleetCall, fleet_config
from appliance.demo.say import Turn
from appliance.demo.script import conversation
from appliance.engines.registry import load_synthesizer
from appliance.frames.messages import FirstAudio, JournalEntry
from appliance.supervision.process_table import PROCESS_NAMES
from appliance.units import NS_PER_MS, NS_PER_S

LANGUAGES = ("pt-br", "en")
LOOK_S = 5.0
PAUSE_S = 2.0  # from the end of one person's turn to the next one's, in any of the calls
CHURN_S = 20.0  # one call ends and is made again
WARM_UP = 1 / 3  # of the time; engines and libraries take what they need once
MOST_GROWTH_MB_H = 1.0
MOST_SLOPE_MS_MIN = 100.0
MB = 1 << 20
S_PER_H = 3600


@dataclass(slots=True)
class Course:
    """What was seen, and in which second since the beginning: RSS by process, and the lag of each clause."""

    memory: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    lag: list[tuple[float, float]] = field(default_factory=list)
    calls: int = 0
    lost: int = 0
    restarts: int = 0


def run(config: Config, directory: Path, minutes: float, calls: int, progress: Callable[[str], None]) -> Report:
    """Eight calls or so, with one person speaking at a time among them all. Raises what cannot be started."""
    turns = conversation([], config, lambda: load_synthesizer("kokoro", config))
    with Fleet(fleet_config(config, f"soak-{os.getpid()}", LANGUAGES, calls), directory) as fleet:
        course = _course(fleet, turns, minutes * 60, progress)
    return report(course, minutes * 60)


def report(course: Course, length_s: float) -> Report:
    """The figures of the time after the warm-up, against their bounds."""
    warm_s = length_s * WARM_UP
    measurements, targets = [], []
    for name, seen in course.memory.items():
        warm = [(at_s, rss / MB) for at_s, rss in seen if at_s >= warm_s]
        growth = slope(warm) * S_PER_H
        measurements.append(Measurement(name, "RSS", warm[-1][1] if warm else 0.0, "MB"))
        measurements.append(Measurement(name, "growth", growth, "MB/h"))
        measurements.append(Measurement(name, "rise", rise(warm), "MB"))
        targets.append(at_most(f"{name}: growth of RSS", growth, MOST_GROWTH_MB_H, "MB/h"))
    lags = [(at_s, lag_ms) for at_s, lag_ms in course.lag if at_s >= warm_s]
    drift = slope(lags) * 60
    measurements.append(Measurement("conversations", "lag", float(np.median([lag for _, lag in lags] or [0.0])), "ms"))
    measurements.append(Measurement("conversations", "lag slope", drift, "ms/min"))
    targets += [
        at_most("lag slope", drift, MOST_SLOPE_MS_MIN, "ms/min"),
        at_least("clauses heard", float(len(lags)), 1.0),
        at_most("calls lost", float(course.lost), 0.0, f"of {course.calls}"),
        at_most("restarts of processes", float(course.restarts), 0.0),
    ]
    return Report(this_machine(), tuple(measurements), tuple(targets))


def slope(points: Sequence[tuple[float, float]]) -> float:
    """How fast y grows with x; 0 where there are not two points.

    The median of the slopes between all pairs (Theil and Sen), which single jumps do not move.
    """
    if len(points) < 2:
        return 0.0
    x, y = np.array(points, float).T
    first, second = np.triu_indices(len(x), 1)
    apart = x[second] > x[first]
    rises = (y[second] - y[first])[apart] / (x[second] - x[first])[apart]
    return float(np.median(rises)) if len(rises) else 0.0


def rise(points: Sequence[tuple[float, float]]) -> float:
    """How much higher y ends than it begins, by the medians of the first and the last tenth: jumps are in it."""
    tenth = max(1, len(points) // 10)
    ends = [[y for _, y in part] for part in (points[:tenth], points[-tenth:])]
    return float(np.median(ends[1]) - np.median(ends[0])) if points else 0.0


def _course(fleet: Fleet, turns: Sequence[Turn], length_s: float, progress: Callable[[str], None]) -> Course:
    course, began_ns = Course(), clock.now_ns()
    for call in fleet.calls:
        _dial(call, course)
    pids = {name: fleet.box.process_id(name) for name in PROCESS_NAMES}
    speakers, churning = cycle(_speaking(fleet.calls, turns)), cycle(fleet.calls)
    look_s, turn_s, churn_s = 0.0, 0.0, CHURN_S
    while (at_s := (clock.now_ns() - began_ns) / NS_PER_S) < length_s:
        if at_s >= look_s:
            look_s = at_s + LOOK_S
            _look(fleet, course, at_s, pids)
            progress(f"{at_s / 60:.1f} of {length_s / 60:.0f} min, {course.calls} calls, {course.lost} lost")
        if at_s >= turn_s:
            call, turn = next(speakers)
            call.say(turn)
            turn_s = at_s + turn.duration_s + PAUSE_S
        if at_s >= churn_s:
            churn_s = at_s + CHURN_S
            _churn(next(churning), course)
        clock.sleep_s(max(0.0, min(look_s, turn_s, churn_s) - at_s))
    course.lag = lags(fleet.box.entries(), began_ns)
    return course


def _speaking(calls: Sequence[FleetCall], turns: Sequence[Turn]) -> list[tuple[FleetCall, Turn]]:
    """Each call in turn, and in each of them one turn of the conversation after the other."""
    return [(call, turn) for turn in turns for call in calls]


def lags(entries: Iterable[JournalEntry], began_ns: int) -> list[tuple[float, float]]:
    """When each clause was first heard, in s, and how long after it was said, in ms."""
    heard = [entry for entry in entries if isinstance(entry, FirstAudio)]
    return [((entry.sent_ns - began_ns) / NS_PER_S, entry.chain_ns / NS_PER_MS) for entry in heard]


def _look(fleet: Fleet, course: Course, at_s: float, pids: dict[str, int]) -> None:
    for name, known in list(pids.items()):
        pids[name] = pid = fleet.box.process_id(name)
        course.restarts += pid != known
        try:
            course.memory.setdefault(name, []).append((at_s, psutil.Process(pid).memory_info().rss))
        except psutil.NoSuchProcess:
            continue  # its restart is counted at the next look


def _churn(call: FleetCall, course: Course) -> None:
    course.lost += call.was_lost
    call.hang_up()
    _dial(call, course)


def _dial(call: FleetCall, course: Course) -> None:
    call.dial()
    course.calls += 1
