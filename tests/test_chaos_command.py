"""`dragoman chaos`, as a technician meets it: an appliance of toys, the real ops, and everything of it broken."""

import json
from pathlib import Path

import pytest
from box import Box
from ops_box import OpsBox

from appliance.drill import live
from appliance.supervision.process_table import WORKERS

TOYS = dict.fromkeys(("rtp", "asr", "mt", "tts", "voices", "calls"), "steady")


@pytest.fixture
def box(tmp_path: Path):
    made = OpsBox(tmp_path, **TOYS)
    made.process_fields |= {"heartbeat_s": 0.5, "standby": True}
    yield made
    made.end()


def test_everything_is_broken_once_and_comes_back(box: Box) -> None:
    box.start().wait_until_up()
    done = box.run("chaos", "--yes", "--json")
    report = json.loads(done.stdout)
    assert [(row["fault"]["name"], row["fault"]["how"]) for row in report["faults"]] == [
        (fault.name, fault.how) for fault in live.faults()
    ]
    for row in report["faults"]:
        outcome = row["outcome"]
        assert (outcome["never_back"], outcome["calls_lost"], outcome["leaked"]) == (False, 0, [])
        assert 0 < outcome["seen_ms"] < 1000 * outcome["back_s"]
    processes = json.loads(box.run("status", "--json").stdout)["processes"]
    restarts = {each["name"]: each["restarts"] for each in processes if not each["waits_for"]}
    assert restarts == {"watchdog": 0} | {row.name: 2 if row.needed else 1 for row in WORKERS}
    assert done.returncode == (0 if report["holds"] else 3)


def test_who_is_asked_may_refuse_and_nothing_is_broken(box: Box) -> None:
    box.start().wait_until_up()
    pids = box.pids()
    done = box.run("chaos")  # nobody answers
    assert done.returncode == 1
    assert f'Break dragoman "{box.instance}" {len(live.faults())} times, with 0 calls up?' in done.stderr
    assert box.pids() == pids


def test_without_an_appliance_it_says_so(tmp_path: Path) -> None:
    done = Box(tmp_path).run("chaos", "--yes")
    assert done.returncode == 1
    assert "is not running here" in done.stderr


def test_with_somebody_down_there_is_no_drill(tmp_path: Path) -> None:
    box = Box(tmp_path, rtp="steady", asr="refusing", calls="steady")
    try:
        box.start().wait_for(component="asr", action="open circuit")
        done = box.run("chaos", "--yes")
    finally:
        box.end()
    assert done.returncode == 1
    assert "no drill: asr, mt, tts, voices, ops of dragoman" in done.stderr


def test_who_does_not_come_back_ends_the_drill_with_status_3(box: Box) -> None:
    box.toys |= {"rtp": "refusing_later"}
    box.process_fields["standby"] = False
    box.start().wait_until_up()
    done = box.run("chaos", "--yes")
    assert done.returncode == 3
    heading, *rows = done.stdout.splitlines()
    assert heading.split()[:3] == ["fault", "made", "by"]
    assert len(rows) == 1
    assert "it never came back" in rows[0]


@pytest.mark.parametrize("how", ["kill -9", "SIGSTOP"])
def test_every_worker_that_calls_need_is_broken_in_both_ways(how: str) -> None:
    broken = {fault.name for fault in live.faults() if fault.how == how}
    assert broken >= {row.name for row in WORKERS if row.needed}
