"""`dragoman events`, against a running appliance, a restarted one and none."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest
from box import PATIENCE_S
from ops_box import OpsBox


@pytest.fixture
def box(tmp_path) -> Iterator[OpsBox]:
    made = OpsBox(tmp_path, rtp="steady", calls="steady")
    yield made
    made.end()


@pytest.fixture
def follower(box) -> Iterator[subprocess.Popen[str]]:
    """`dragoman events --follow --json` of a box that is up."""
    box.start().wait_until_up()
    follower = subprocess.Popen(
        box.command("events", "--follow", "--json"),
        env=box.environment() | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield follower
    follower.kill()
    follower.communicate(timeout=PATIENCE_S)


def next_about(follower: subprocess.Popen[str], **wanted: str) -> dict:
    for line in follower.stdout:
        event = json.loads(line)
        if all(event[key] == value for key, value in wanted.items()):
            return event
    raise AssertionError(f"the stream ended before {wanted}")


def test_events_are_lines_for_people_and_objects_for_programs(box):
    box.start().wait_until_up()
    box.until(lambda: len(box.json("/events")) == len(box.entries(type="health")), "all that the log has")
    shown = box.run("events", "--limit", "1")
    assert shown.stdout.count("\n") == 1
    answer = box.run("events", "--json")
    events = [json.loads(line) for line in answer.stdout.splitlines()]
    assert {event["component"] for event in events} == {"rtp", "calls", "ops", "watchdog"}
    assert events[0].keys() == {"id", "session_id", "component", "status", "lag_ms", "action", "ts"}
    last = events[-1]
    assert [last["component"], last["status"], last["action"]] == shown.stdout.split()[1:]


def test_following_sees_what_happens(box, follower):
    next_about(follower, component="ops", status="up")
    os.kill(box.pids()["rtp"], signal.SIGKILL)
    assert next_about(follower, component="rtp", status="exited (SIGKILL)")["action"] == "restart in 0 ms"
    next_about(follower, component="rtp", status="up")
    follower.send_signal(signal.SIGINT)
    rest, errors = follower.communicate(timeout=PATIENCE_S)
    assert (rest, errors, follower.returncode) == ("", "", 0)


def test_following_goes_on_after_a_restart_of_the_appliance(box, follower):
    next_about(follower, component="ops", status="up")
    assert box.stop() == 0
    assert follower.stderr.readline().endswith("is the appliance running? see: dragoman status; trying again\n")
    box.log.unlink()
    box.start().wait_until_up()  # by now it has as many events as the run before
    assert next_about(follower, component="watchdog", status="up")


def test_without_an_appliance_it_says_so(box):
    answer = box.run("events")
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr == (
        f"no events from 127.0.0.1:{box.ops_port} (ops.host, ops.port): Connection refused; "
        "is the appliance running? see: dragoman status\n"
    )


def test_a_limit_out_of_range_is_wrong_use(box):
    assert box.run("events", "--limit", "0").returncode == 2
