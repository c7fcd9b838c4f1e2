"""A real watchdog and real processes that crash, hang, refuse and obey."""

import os
import signal
import socket
from collections.abc import Callable, Iterator

import pytest
from box import Box, alive

pytestmark = pytest.mark.usefixtures("box")
BoxOf = Callable[..., Box]


@pytest.fixture
def box(tmp_path) -> Iterator[BoxOf]:
    """Makes a box of toys; gone after the test."""
    made = []

    def make(**toys: str) -> Box:
        made.append(Box(tmp_path, **toys))
        return made[-1]

    yield make
    for each in made:
        each.end()


def test_what_crashes_is_started_again(box):
    appliance = box(rtp="crashing_twice", calls="steady").start().wait_until_up()
    appliance.wait_for(process="rtp", text="working")
    exits = appliance.entries(component="rtp", status="exited")
    assert [entry["status"] for entry in exits] == ["exited (status 1)"] * 2
    assert [entry["action"] for entry in exits] == ["restart in 0 ms", "restart in 200 ms"]
    assert len(appliance.entries(component="rtp", action="restart", status="starting")) == 2
    assert appliance.entries(process="rtp", level="output", text="RuntimeError: the toy broke")
    assert not appliance.entries(component="calls", status="exited"), "the others are left alone"


def test_a_crash_loop_opens_the_circuit_and_the_others_go_on(box):
    appliance = box(asr="crashing", calls="steady").start()
    (opened,) = appliance.wait_for(component="asr", action="open circuit")
    assert len(appliance.entries(component="asr", status="exited")) == 5
    assert opened["action"] == "open circuit, try again in 30 s"
    assert alive(appliance.pids()["calls"])


def test_the_terminal_speaks_to_the_watchdog_alone_and_a_standby_yields_to_workers(box):
    appliance = box(rtp="steady", calls="steady").start().wait_until_up()
    watchdog, workers = appliance.process.pid, [appliance.pids()[name] for name in ("rtp", "calls")]
    assert len({os.getpgid(pid) for pid in (watchdog, *workers)}) == 3, "Ctrl-C reaches one of them"
    assert {os.getsid(pid) for pid in workers} == {os.getsid(watchdog)}, "nice(2) counts within a session"


def test_an_engine_that_cannot_start_says_why_and_is_not_tried_in_a_loop(box):
    appliance = box(tts="refusing", calls="steady").start()
    (opened,) = appliance.wait_for(component="tts", action="open circuit")
    assert opened["status"] == "exited (status 78)"
    said = [entry["text"] for entry in appliance.entries(process="tts")]
    assert said == ["the model of the toy is missing; buy a new toy"], "one sentence, no traceback"
    assert not appliance.entries(component="tts", status="up"), "it never reports ready"


def test_what_hangs_is_killed_step_by_step_and_its_stack_is_in_the_log(box):
    appliance = box(mt="hanging", calls="steady")
    appliance.process_fields |= {"heartbeat_s": 1, "busy_s": 0}
    appliance.start()
    appliance.wait_for(process="mt", text="working")
    steps = appliance.entries(component="mt", status="stuck")
    assert [entry["action"] for entry in steps] == ["SIGTERM", "SIGUSR1", "SIGKILL"]
    assert 1000 <= steps[0]["lag_ms"] < steps[1]["lag_ms"] < steps[2]["lag_ms"], "how long it has been silent"
    assert appliance.entries(process="watchdog", text="mt is stuck: no heartbeat")
    stack = [entry["text"] for entry in appliance.entries(process="mt", level="output")]
    assert any("hang_in_this_function" in line for line in stack)
    assert appliance.entries(component="mt", status="exited (SIGKILL)", action="restart in 0 ms")


def test_whoever_calls_engines_and_does_nothing_at_all_is_not_waited_for(box):
    appliance = box(mt="hanging", calls="steady").start()
    appliance.wait_for(process="watchdog", text="mt is stuck: hangs")
    assert appliance.entries(component="mt", status="stuck")[0]["lag_ms"] < 10_000, "not as long as its deadlines allow"


def test_a_call_within_its_deadline_is_left_alone_and_one_past_it_is_not(box):
    appliance = box(tts="busy", calls="steady")
    appliance.process_fields |= {"heartbeat_s": 1, "busy_s": 0.5}
    appliance.start()
    appliance.wait_for(process="tts", text="working")
    assert appliance.entries(process="tts", text="the long call is done")
    (verdict,) = appliance.entries(process="watchdog", text="tts is stuck")
    assert verdict["text"] == "tts is stuck: busy past its deadline"


def test_what_never_gets_ready_is_stuck(box):
    appliance = box(asr="never_ready", calls="steady")
    appliance.process_fields["ready_s"] = 1
    appliance.start()
    appliance.wait_for(process="watchdog", text="asr is stuck: not ready in time")
    # Told to stop before it was ready, it has nothing to finish: the first step is enough.
    appliance.wait_for(component="asr", status="exited (status 0)")
    assert not appliance.entries(component="asr", action="SIGKILL")


def test_a_stopped_process_is_replaced(box):
    appliance = box(rtp="steady", calls="steady")
    appliance.process_fields["heartbeat_s"] = 1
    appliance.start().wait_until_up()
    frozen = appliance.pids()["rtp"]
    os.kill(frozen, signal.SIGSTOP)
    appliance.wait_for(component="rtp", status="exited (SIGKILL)")
    appliance.wait_for(2, component="rtp", status="up")
    assert not alive(frozen)


def test_a_standby_takes_over_and_gets_a_standby_of_its_own(box):
    appliance = box(rtp="steady", calls="steady")
    appliance.process_fields["standby"] = True
    appliance.start().wait_until_up()
    for restarts in (1, 2):
        appliance.wait_for(restarts, component="rtp-standby", status="standby")
        os.kill(appliance.pids()["rtp"], signal.SIGKILL)
        before = appliance.children()
        appliance.wait_for(1 + restarts, component="rtp", status="up")
        assert appliance.pids()["rtp"] in before
    appliance.wait_for(3, component="rtp-standby", status="standby")
    pids = appliance.children()
    assert appliance.stop() == 0
    assert not any(map(alive, pids))
    assert appliance.left_behind() == []


def test_a_dead_standby_is_replaced_when_it_is_needed(box):
    appliance = box(rtp="steady")
    appliance.process_fields["standby"] = True
    appliance.start().wait_until_up()
    appliance.wait_for(component="rtp-standby", status="standby")
    for pid in appliance.children():
        os.kill(pid, signal.SIGKILL)
    appliance.wait_for(2, component="rtp", status="up")
    assert appliance.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_an_orderly_end_leaves_nothing_behind(box, number):
    appliance = box(rtp="steady", asr="steady", tts="steady", calls="steady").start().wait_until_up()
    pids = appliance.pids()
    assert appliance.left_behind(), "or the test looks in the wrong place"
    assert appliance.stop(number) == 0
    assert not [name for name, pid in pids.items() if alive(pid)]
    assert appliance.left_behind() == []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media:
        media.bind(("127.0.0.1", appliance.port))
    finished = [entry["process"] for entry in appliance.entries(text="finished in order")]
    assert finished[0] == "calls"
    assert sorted(finished) == ["asr", "calls", "rtp", "tts"]
    assert appliance.errors.read_text() == ""


def test_a_process_waiting_for_its_restart_does_not_hold_up_the_end(box):
    appliance = box(asr="refusing", calls="steady").start()
    appliance.wait_for(component="asr", action="open circuit")
    appliance.wait_for(component="calls", status="up")
    assert appliance.stop() == 0
    assert appliance.left_behind() == []


def test_a_second_signal_ends_it_at_once(box):
    appliance = box(rtp="steady", calls="stubborn").start().wait_until_up()
    pids = appliance.pids()
    appliance.process.send_signal(signal.SIGINT)
    appliance.wait_for(component="calls", status="stopping")
    assert appliance.stop(signal.SIGINT) == 0
    assert not [name for name, pid in pids.items() if alive(pid)]
    assert not appliance.entries(component="calls", action="SIGKILL"), "the ladder had not come to its end"
    assert appliance.left_behind() == []


def test_workers_die_with_a_killed_watchdog_and_a_new_one_starts_over(box):
    appliance = box(rtp="steady", calls="steady").start().wait_until_up()
    orphans = appliance.pids()
    assert appliance.stop(signal.SIGKILL) == -signal.SIGKILL
    appliance.until(lambda: not any(map(alive, orphans.values())), "the orphans' end")
    assert appliance.left_behind(), "a killed watchdog cleans nothing"
    appliance.log.unlink()
    appliance.start().wait_until_up()
    assert set(appliance.pids().values()).isdisjoint(orphans.values())
    assert appliance.stop() == 0
    assert appliance.left_behind() == []


def test_a_second_appliance_of_the_same_name_is_refused(box):
    appliance = box(calls="steady").start().wait_until_up()
    second = appliance.run("up", "--table", "toy_table")
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert f'cannot start: dragoman "{appliance.instance}" already runs on this box' in second.stderr
    assert alive(appliance.pids()["calls"])


def test_a_taken_media_port_is_refused_and_leaves_nothing(box):
    appliance = box(calls="steady")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", appliance.port))
        assert appliance.start().process.wait(60) == 1
    assert f"UDP 127.0.0.1:{appliance.port} (media.host, media.port) is used" in appliance.errors.read_text()
    assert appliance.left_behind() == []


def test_the_service_manager_is_told(box, tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        appliance = box(calls="steady").start()
        while not manager.recv(100).startswith(b"READY=1\n"):
            pass
        assert appliance.entries(component="calls", status="up")
        while manager.recv(100) != b"WATCHDOG=1":
            pass
        appliance.process.send_signal(signal.SIGTERM)
        while manager.recv(100) != b"STOPPING=1":
            pass
    assert appliance.process.wait(60) == 0
