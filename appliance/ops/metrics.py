"""What Prometheus is told: made anew from shared memory for each scrape. No label holds a call, a number or a name."""

from collections.abc import Iterator
from importlib.metadata import version

import psutil
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from appliance.ops.counts import COUNTS, Count
from appliance.ops.gpus import Gpu, Gpus
from appliance.ops.measures import BOUNDS_S, Histogram
from appliance.ops.observer import STAGES, Observer
from appliance.recovery.voice_ladder import REASONS
from appliance.supervision.snapshot import LaneView, ProcessView, RingView, Snapshot
from appliance.supervision.vitals import State, breakers, reasons, trunks
from appliance.units import FRAMES_PER_S

MS_PER_S = 1000
US_PER_S = 1_000_000
GOOD_STATES = ("up", "late")
GIVEN_UP = State.CIRCUIT_OPEN.name.lower()
WAITS = State.STANDBY.name.lower()


class Appliance(Collector):
    """Everything about one appliance, seen through `observer`."""

    def __init__(self, observer: Observer, gpus: Gpus) -> None:
        self._observer = observer
        self._gpus = gpus

    def collect(self) -> Iterator[Metric]:
        """All metrics, each once."""
        seen = self._observer.snapshot()
        yield InfoMetricFamily("dragoman_build", "Which version runs.", {"version": version("dragoman")})
        yield from self._durations()
        yield from (self._count(count) for count in COUNTS)
        yield from _calls(seen)
        yield from _queues(seen)
        yield from self._faults()
        yield self._breakers()
        yield self._trunks()
        yield self._stock_voices()
        yield from _processes(seen)
        yield from self._certificates()
        yield from self._machine()
        yield from _gpus(self._gpus.look())

    def _durations(self) -> Iterator[Metric]:
        measures = self._observer.measures
        for name, meaning in (
            ("chain_latency", "Last voiced sample of what was said to first sample of its translation on the wire."),
            ("asr_to_tts_gap", "Text recognised to first sample of its translation spoken."),
        ):
            metric = HistogramMetricFamily(f"dragoman_{name}_seconds", meaning, labels=())
            _add_histogram(metric, (), measures.histogram(name))
            yield metric
        stages = HistogramMetricFamily(
            "dragoman_stage_seconds", "Time in each engine; of tts: until the first frame.", labels=("stage",)
        )
        for stage in STAGES:
            _add_histogram(stages, (stage,), measures.histogram(stage))
        yield stages

    def _count(self, count: Count) -> Metric:
        metric = CounterMetricFamily(f"dragoman_{count.name}", count.meaning, labels=count.labels)
        for source in count.sources:
            metric.add_metric(source.labels, self._observer.vitals(source.process).get(source.counter))
        return metric

    def _faults(self) -> Iterator[Metric]:
        observer = self._observer
        yield CounterMetricFamily(
            "dragoman_health_events", "Decisions about components, see /events.", observer.measures.events
        )
        yield _gauge("asterisk_up", "1: in touch with Asterisk.", observer.asterisk_up)
        yield _gauge("legs_unheard", "Legs from whose ear nothing has come for 5 s.", observer.legs_unheard)
        yield _gauge("lanes_unspoken", "Lanes whose booth has been missing for 5 s.", observer.lanes_unspoken)
        yield _gauge(
            "lanes_degraded", "Lanes whose listeners hear the original.", observer.vitals("rtp").get("lanes_degraded")
        )
        late_us = observer.vitals("rtp").get("tick_late_max_us")
        yield _gauge("tick_late_seconds", "How late rtp's latest tick of the last second was.", late_us / US_PER_S)

    def _breakers(self) -> Metric:
        metric = GaugeMetricFamily(
            "dragoman_engine_breaker_state",
            "Whether an engine is asked: 0 yes, 1 one request is tried, 2 not for a while, because it failed.",
            labels=("stage", "engine"),
        )
        for stage in STAGES:
            states = breakers(self._observer.vitals(stage).get("breakers"))
            for engine, state in zip(self._observer.engines.named(stage), states, strict=False):
                metric.add_metric((stage, engine), state)
        return metric

    def _trunks(self) -> Metric:
        """No series where Asterisk does not know, or is not there."""
        metric = GaugeMetricFamily("dragoman_trunk_up", "1: Asterisk reaches it.", labels=("trunk",))
        states = trunks(self._observer.vitals("calls").get("trunks"))
        for name, is_reached in zip(self._observer.trunks, states, strict=False):
            if is_reached is not None:
                metric.add_metric((name,), is_reached)
        return metric

    def _stock_voices(self) -> Metric:
        """No label says who they are."""
        metric = GaugeMetricFamily(
            "dragoman_legs_in_stock_voice",
            "People who should be heard in their own voice, and are heard in a stock voice, by the reason.",
            labels=("reason",),
        )
        counts = reasons(self._observer.vitals("tts").get("stock_legs"))
        for reason, legs in zip(REASONS, counts, strict=True):
            metric.add_metric((reason,), legs)
        metric.add_metric(("mismatch",), self._observer.vitals("voices").get("strange_legs"))
        return metric

    def _certificates(self) -> Iterator[Metric]:
        """No series where nothing is shown over TLS."""
        label = ("certificate",)
        ends = GaugeMetricFamily(
            "dragoman_certificate_expiry_timestamp_seconds", "When the certificate that is shown ends.", labels=label
        )
        usable = GaugeMetricFamily(
            "dragoman_certificate_usable", "1: its files are in order, and it is in date.", labels=label
        )
        for name, standing in self._observer.certificates.items():
            usable.add_metric((name,), standing.is_usable)
            if standing.ends:
                ends.add_metric((name,), standing.ends.timestamp())
        yield from (ends, usable)

    def _machine(self) -> Iterator[Metric]:
        free = GaugeMetricFamily("dragoman_free_bytes", "Free space in /dev/shm and on the disk.", labels=("place",))
        size = GaugeMetricFamily("dragoman_size_bytes", "All space in /dev/shm and on the disk.", labels=("place",))
        for place, room in self._observer.rooms_for_data().items():
            free.add_metric((place,), room.free_bytes)
            size.add_metric((place,), room.size_bytes)
        yield free
        yield size


def registry(observer: Observer, gpus: Gpus | None = None) -> CollectorRegistry:
    """A registry with the appliance in it, and nothing else. `gpus`: None for those of this machine."""
    made = CollectorRegistry()
    made.register(Appliance(observer, gpus or Gpus()))
    return made


def exposition(made: CollectorRegistry) -> bytes:
    """All metrics in Prometheus's text format 0.0.4."""
    return generate_latest(made)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"dragoman_{name}", meaning, float(value))


def _add_histogram(metric: HistogramMetricFamily, labels: tuple[str, ...], seen: Histogram) -> None:
    bounds = [*(str(bound) for bound in BOUNDS_S), "+Inf"]
    metric.add_metric(labels, buckets=list(zip(bounds, map(float, seen.up_to), strict=True)), sum_value=seen.sum_s)


def _gpus(seen: list[Gpu]) -> Iterator[Metric]:
    """No series where there is no GPU."""
    label = ("gpu",)
    size = GaugeMetricFamily("dragoman_gpu_memory_bytes", "Memory of each GPU.", labels=label)
    used = GaugeMetricFamily("dragoman_gpu_memory_used_bytes", "What is taken of it, by whomever.", labels=label)
    busy = GaugeMetricFamily("dragoman_gpu_busy_ratio", "Part of the time that it computes.", labels=label)
    for gpu in seen:
        name = (str(gpu.number),)
        size.add_metric(name, gpu.memory_bytes)
        used.add_metric(name, gpu.used_bytes)
        busy.add_metric(name, gpu.busy_ratio)
    yield from (size, used, busy)


def _calls(seen: Snapshot) -> Iterator[Metric]:
    yield _gauge("sessions", "Conversations being interpreted.", len(seen.rooms))
    yield _gauge("legs", "People in them.", sum(len(room.legs) for room in seen.rooms))
    yield _gauge("lanes", "Translation directions in them.", sum(len(room.lanes) for room in seen.rooms))


def _queues(seen: Snapshot) -> Iterator[Metric]:
    """The longest queue of each kind; what is in use only, for old calls leave unread frames behind."""
    uplinks = [leg.uplink for room in seen.rooms for leg in room.legs]
    lanes = [lane for room in seen.rooms for lane in room.lanes]
    longest = {
        "uplink": _longest(uplinks),
        "segments": _longest([ring for ring in seen.rings if ring.name == "segments"]),
        "translations": _longest([ring for ring in seen.rings if ring.name == "translations"]),
        "downlink": _longest([lane.downlink for lane in lanes]),
    }
    depth = GaugeMetricFamily("dragoman_queue_depth", "Frames or messages in the longest queue.", labels=("queue",))
    for queue, frames in longest.items():
        depth.add_metric((queue,), frames)
    yield depth
    lag = GaugeMetricFamily("dragoman_lag_seconds", "How far the slowest one trails the speech.", labels=("stage",))
    lag.add_metric(("asr",), longest["uplink"] / FRAMES_PER_S)
    lag.add_metric(("playout",), longest["downlink"] / FRAMES_PER_S)
    lag.add_metric(("heard",), max((_lag_ms(lane) for lane in lanes), default=0.0) / MS_PER_S)
    yield lag


def _longest(rings: list[RingView]) -> int:
    return max((ring.depth for ring in rings), default=0)


def _lag_ms(lane: LaneView) -> float:
    """0 while nothing is heard in the lane."""
    return lane.lag_ms or 0.0


def _processes(seen: Snapshot) -> Iterator[Metric]:
    label = ("process",)
    up = GaugeMetricFamily("dragoman_process_up", "1: it works.", labels=label)
    given_up = GaugeMetricFamily("dragoman_circuit_open", "1: it died too often and is tried every 30 s.", labels=label)
    restarts = CounterMetricFamily("dragoman_restarts", "Times it ended without being told to.", labels=label)
    silence = GaugeMetricFamily("dragoman_heartbeat_age_seconds", "Since the last turn of its work loop.", labels=label)
    memory = GaugeMetricFamily("dragoman_resident_bytes", "Memory it holds.", labels=label)
    standby = GaugeMetricFamily("dragoman_standby_ready", "1: another one waits to take over at once.", labels=label)
    for process in seen.processes:
        name = (process.name,)
        restarts.add_metric(name, process.restarts)
        memory.add_metric(name, _resident_bytes(process))
        if process.waits_for:
            standby.add_metric((process.waits_for,), process.state == WAITS)
            continue
        up.add_metric(name, process.state in GOOD_STATES)
        given_up.add_metric(name, process.state == GIVEN_UP)
        silence.add_metric(name, (process.heartbeat_age_ms or 0.0) / MS_PER_S)
    yield from (up, given_up, restarts, silence, memory, standby)


def _resident_bytes(process: ProcessView) -> float:
    try:
        return float(psutil.Process(process.pid).memory_info().rss) if process.pid else 0.0
    except psutil.Error:  # it has just ended
        return 0.0
