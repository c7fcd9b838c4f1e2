"""Standbys: who waits to take over, when it does, and that two never hold one ring."""

import json
import os
import signal
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from box import Box, alive

from appliance.config import Config, ConfigError, SupervisionConfig, parse
from appliance.doctor import standbys as doctor
from appliance.frames.memory import Memory
from appliance.frames.messages import Segment
from appliance.frames.text import TextReader
from appliance.ops.metrics import exposition, registry
from appliance.ops.observer import Observer
from appliance.supervision import snapshot, standby
from appliance.supervision.notify import Notify
from appliance.supervision.process_table import PROCESS_NAMES, WORKERS, Process, rows
from appliance.supervision.recovery import STUCK_LADDER, OpenCircuit, Restart, Signs, Verdict, after_exit
from appliance.supervision.turn import LESS_URGENT
from appliance.supervision.vitals import State, Vitals
from appliance.units import NS_PER_MS, NS_PER_S

BoxOf = Callable[..., Box]
NOW_NS = 10_000 * NS_PER_S
WORKER = Process("toy", "toys", reads=(), writes=(), ready_s=60, heartbeat_s=2, busy_s=5)


def ago(seconds: float) -> int:
    return NOW_NS - int(seconds * NS_PER_S)


def signs(spawned_s: float, ready_s: float | None = None, beat_s: float | None = None) -> Signs:
    """Vital signs of so many seconds ago; None: not yet."""
    return Signs(ago(spawned_s), *(0 if each is None else ago(each) for each in (ready_s, beat_s)), busy_until_ns=0)


# --- the policy ---


@pytest.mark.parametrize(
    ("active", "not_before_s_ago", "due"),
    [
        (signs(60), 0, False),  # it loads itself
        (signs(60, 4.9, 0), 0, False),  # it catches up
        (signs(60, 5, 0), 0, True),
        (signs(60, 50, 0), -1, False),  # the last one died a moment ago
    ],
)
def test_when_a_standby_is_started(active, not_before_s_ago, due):
    assert standby.is_due(active, settle_s=5, not_before_ns=ago(not_before_s_ago), now_ns=NOW_NS) is due


@pytest.mark.parametrize(
    ("name", "another_loads", "may"), [("asr", False, True), ("asr", True, False), ("rtp", True, True)]
)
def test_models_are_read_one_after_another_and_who_reads_none_does_not_wait(name, another_loads, may):
    (process,) = (row for row in WORKERS if row.name == name)
    assert standby.may_load(process, another_loads) is may


@pytest.mark.parametrize(
    ("exits_s_ago", "pause_s"),
    [([], 0), ([0], 5), ([9, 0], 15), ([30, 9, 0], 60), ([90, 30, 9, 0], 300), ([1801, 1801, 1801, 0], 5)],
)
def test_how_long_to_do_without_after_its_own_end(exits_s_ago, pause_s):
    exits_ns = [ago(seconds) for seconds in exits_s_ago]
    assert standby.pause_s(exits_ns, NOW_NS) == pause_s
    assert standby.pause_s(exits_ns, NOW_NS, cannot_start=True) == 600


@pytest.mark.parametrize(
    ("seen", "verdict", "takes_over"),
    [
        (signs(179), Verdict.STARTING, False),  # when nobody else needs the processor
        (signs(181), Verdict.NOT_READY, False),
        (signs(90, 80, 0.9), Verdict.OK, True),
        (signs(90, 80, 2.1), Verdict.OK, False),  # no time to find out what it has
        (signs(90, 80, 5.1), Verdict.SILENT, False),
    ],
)
def test_how_a_standby_does(seen, verdict, takes_over):
    assert standby.judge(seen, 60, NOW_NS) is verdict
    assert standby.can_take_over(seen, NOW_NS) is takes_over


def test_those_who_work_keep_some_memory():
    assert standby.has_room(free_bytes=600 << 20, needed_bytes=344 << 20)
    assert not standby.has_room(free_bytes=600 << 20, needed_bytes=345 << 20)


def test_who_has_a_standby_is_ended_sooner_but_not_again_and_again():
    assert standby.patience(WORKER, False, [], NOW_NS).heartbeat_s == 2
    assert standby.patience(WORKER, True, [], NOW_NS).heartbeat_s == 0.8
    assert standby.patience(WORKER, True, [ago(59)], NOW_NS).heartbeat_s == 2
    assert standby.patience(WORKER, True, [ago(61)], NOW_NS).heartbeat_s == 0.8
    assert standby.stuck_ladder(Verdict.SILENT, waits=False) == STUCK_LADDER
    assert [step.name for step, _ in standby.stuck_ladder(Verdict.SILENT, waits=True)] == ["SIGUSR1", "SIGKILL"]
    for waits in (False, True):
        assert [step.name for step, _ in standby.stuck_ladder(Verdict.HALTED, waits)] == ["SIGKILL"]


def test_a_standby_knows_no_backoff_but_the_circuit():
    exits_ns = [ago(each) for each in (3, 2, 1, 0)]
    assert after_exit(exits_ns, NOW_NS) == Restart(after_ms=1000)
    assert after_exit(exits_ns, NOW_NS, standby_waits=True) == Restart(after_ms=0)
    assert after_exit([*exits_ns, NOW_NS], NOW_NS, standby_waits=True) == OpenCircuit()


# --- real processes ---


@pytest.fixture
def box(tmp_path) -> Iterator[BoxOf]:
    """Makes a box of toys in which asr, mt and tts can have standbys; gone after the test."""
    made = []

    def make(*standbys: str, **toys: str) -> Box:
        made.append(Box(tmp_path, **toys))
        made[-1].process_fields["standby"] = True
        with made[-1].config.open("a") as config:
            config.write(f"standbys = {json.dumps(standbys)}\n")
        return made[-1]

    yield make
    for each in made:
        each.end()


def wait_for_standby(appliance: Box, name: str, count: int = 1) -> int:
    """Its process id."""
    appliance.wait_for(count, component=f"{name}-standby", status="standby")
    return process(appliance, f"{name}-standby")["pid"]


def entries(appliance: Box, component: str, **wanted: str) -> list[dict[str, object]]:
    """The events of one component, and not of its standby."""
    return [entry for entry in appliance.entries(**wanted) if entry.get("component") == component]


def process(appliance: Box, name: str) -> dict[str, object]:
    """What `dragoman status` says about one process."""
    seen = json.loads(appliance.run("status", "--json").stdout)
    return next(each for each in seen["processes"] if each["name"] == name)


def test_it_takes_over_at_once_and_status_shows_it(box):
    appliance = box("asr", asr="steady", mt="steady").start().wait_until_up()
    waiting = wait_for_standby(appliance, "asr")
    assert process(appliance, "asr-standby")["state"] == "standby"
    urgency = psutil.Process(appliance.process.pid).nice()
    assert psutil.Process(waiting).nice() in (urgency, min(19, urgency + LESS_URGENT)), (
        "where it can come back from that"
    )
    os.kill(appliance.pids()["asr"], signal.SIGKILL)
    appliance.wait_for(2, component="asr", status="up")
    assert appliance.pids()["asr"] == waiting
    assert psutil.Process(waiting).nice() == urgency
    assert appliance.entries(component="asr", status="starting", action="the standby takes over")
    assert wait_for_standby(appliance, "asr", count=2) != waiting
    assert process(appliance, "asr")["restarts"] == 1
    assert not appliance.entries(component="mt-standby"), "nobody asked for one"
    everybody = appliance.children()
    assert appliance.stop() == 0
    assert not any(map(alive, everybody))
    assert appliance.left_behind() == []


def test_who_was_replaced_neither_reads_nor_writes_however_it_is_woken(box):
    """A stopped process is ended before another takes its place, also if somebody wakes it at the worst moment."""
    appliance = box("asr", asr="scribe").start().wait_until_up()
    stopped = appliance.pids()["asr"]
    waiting = wait_for_standby(appliance, "asr")
    memory = Memory.attach(appliance.instance)
    try:
        reader = TextReader[Segment](memory.reader("segments"), Segment)
        generation = memory.ring_state("segments").generation
        os.kill(stopped, signal.SIGSTOP)
        appliance.wait_for(component="asr", status="stuck")
        written: list[str] = []
        while not appliance.entries(component="asr", status="up", action="ready")[1:] or str(waiting) not in written:
            if alive(stopped):
                os.kill(stopped, signal.SIGCONT)
            while segment := reader.read():
                written.append(segment.text)
        assert not alive(stopped)
        assert [writer for writer, _ in groupby(written)] in (
            [str(stopped), str(waiting)],  # it was awake for a moment on its way to its end
            [str(waiting)],
        )
        assert memory.ring_state("segments").generation == generation + 1
    finally:
        memory.close()
    (taken,) = [entry["ts_ns"] for entry in appliance.entries(component="asr", action="the standby takes over")]
    (ended,) = [entry["ts_ns"] for entry in entries(appliance, "asr", status="exited")]
    assert ended < taken


def test_its_own_deaths_are_its_own(box):
    appliance = box("mt", mt="steady").start().wait_until_up()
    works = appliance.pids()["mt"]
    os.kill(wait_for_standby(appliance, "mt"), signal.SIGKILL)
    appliance.wait_for(component="mt-standby", status="exited (SIGKILL)", action="another one in 5 s")
    assert appliance.pids()["mt"] == works
    seen = process(appliance, "mt"), process(appliance, "mt-standby")
    assert [each["restarts"] for each in seen] == [0, 1]
    os.kill(works, signal.SIGKILL)  # while nobody waits
    appliance.wait_for(component="mt", status="starting", action="restart")
    appliance.wait_for(2, component="mt", status="up")


def test_one_that_stands_still_takes_over_nothing_and_is_replaced(box):
    appliance = box("asr", asr="steady").start().wait_until_up()
    frozen = wait_for_standby(appliance, "asr")
    os.kill(frozen, signal.SIGSTOP)
    appliance.wait_for(component="asr-standby", status="stuck: no heartbeat", action="SIGKILL")
    appliance.wait_for(component="asr-standby", status="exited (SIGKILL)")
    assert not alive(frozen)
    assert not entries(appliance, "asr", status="exited")


def test_what_keeps_dying_is_given_up_with_a_standby_too(box):
    appliance = box("asr", asr="crashing", mt="steady").start()
    appliance.wait_for(component="asr", action="open circuit")
    assert len(entries(appliance, "asr", status="exited")) == 5
    before = entries(appliance, "asr")
    appliance.wait_for(component="mt", status="up")
    assert entries(appliance, "asr") == before, "nobody takes over what was given up"


def test_who_does_not_wait_for_its_turn_gets_no_ring(box):
    appliance = box("asr", asr="hasty").start().wait_until_up()
    appliance.wait_for(component="asr-standby", status="exited")
    assert appliance.entries(process="asr-standby", text="RuntimeError: a standby of asr touches nothing")
    assert not entries(appliance, "asr", status="exited")


def test_standbys_die_with_a_killed_watchdog(box):
    appliance = box("asr", "mt", asr="steady", mt="steady").start().wait_until_up()
    orphans = {wait_for_standby(appliance, name) for name in ("asr", "mt")} | appliance.children()
    assert len(orphans) == 4
    appliance.stop(signal.SIGKILL)
    appliance.until(lambda: not any(map(alive, orphans)), "the orphans' end")


# --- the service manager ---


@pytest.mark.parametrize("address", ["{}/notify", "@dragoman-test-{}"])
def test_the_service_manager_hears_of_everything_once(tmp_path, address):
    name = address.format(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as manager:
        manager.bind(name.replace("@", "\0"))
        notify = Notify(name, watchdog_us=2_000_000)
        notify.ready()
        for now_ms in (5000, 5900, 6000, 6100):
            notify.alive(now_ms * NS_PER_MS)
            notify.status("all is well")
        notify.stopping()
        notify.close()
        heard = [manager.recv(200) for _ in range(5)]
        with pytest.raises(BlockingIOError):
            manager.recv(200)
    ready = b"READY=1\nMAINPID=%d" % os.getpid()
    assert heard == [ready, b"WATCHDOG=1", b"STATUS=all is well", b"WATCHDOG=1", b"STOPPING=1"]


def test_who_asks_for_no_signs_of_life_gets_none_and_strangers_get_nothing(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as manager:
        manager.bind(str(tmp_path / "notify"))
        with closing(Notify(str(tmp_path / "notify"))) as unasked:
            unasked.alive(NOW_NS)
        with pytest.raises(BlockingIOError):
            manager.recv(200)
    for address in ("", "vsock:2:1234", str(tmp_path / "gone")):
        with closing(Notify(address, watchdog_us=1)) as unheard:
            unheard.ready()


# --- what operators see ---


def test_status_and_metrics_tell_those_who_work_from_those_who_wait():
    config = Config(instance=f"test-{uuid.uuid4().hex[:8]}")
    memory = Memory.create(config, rows(("asr", "mt")))
    try:
        for name in PROCESS_NAMES:
            Vitals(memory.vitals(name)).state = State.UP
        Vitals(memory.vitals("asr-standby")).state = State.STANDBY
        Vitals(memory.vitals("mt-standby")).state = State.WAITING
        seen = snapshot.take(memory)
        assert {each.waits_for: each.state for each in seen.processes if each.waits_for} == {
            "asr": "standby",
            "mt": "waiting",
        }
        assert seen.healthy, "who waits is not needed as long as nothing happens"
        shown = exposition(registry(Observer(memory, Path.cwd()))).decode().splitlines()
        assert 'dragoman_standby_ready{process="asr"} 1.0' in shown
        assert 'dragoman_standby_ready{process="mt"} 0.0' in shown
        assert 'dragoman_restarts_total{process="mt-standby"} 0.0' in shown
        assert not [line for line in shown if line.startswith('dragoman_process_up{process="mt-standby"}')]
    finally:
        memory.unlink()
        memory.close()


@pytest.mark.parametrize(
    ("free_mb", "level"),
    [(255 + 25 + 340 + 200 + 1460, "advice"), (256 + 25 + 340 + 200 + 1460, "ok")],
)
def test_the_doctor_says_when_memory_is_short(monkeypatch, free_mb, level):
    free = SimpleNamespace(available=free_mb << 20)
    monkeypatch.setattr(doctor.psutil, "virtual_memory", lambda: free)
    finding = doctor.examine(Config(instance="test-doctor"))
    assert finding.level == level
    nobody = Config(instance="test-doctor", supervision=SupervisionConfig(standbys=()))
    assert doctor.examine(nobody).level == "ok"


def test_only_who_can_have_a_standby_may_be_named():
    with pytest.raises(ConfigError) as refused:
        parse('[supervision]\nstandbys = ["asr", "calls", "asr"]', "appliance.toml")
    assert str(refused.value).splitlines() == [
        'appliance.toml: supervision.standbys: "calls" can have none; there are rtp, asr, mt, tts',
        'appliance.toml: supervision.standbys: "asr" is there more than once; each can have one',
    ]
