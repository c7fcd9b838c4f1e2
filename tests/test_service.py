"""The unit of systemd: valid, and in step with what the appliance does."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from appliance.supervision.recovery import STOP_LADDER
from appliance.wire.pulse import REALTIME_PRIORITY

REPOSITORY = Path(__file__).parent.parent
UNIT = REPOSITORY / "image/systemd/dragoman.service"


@pytest.fixture(scope="module")
def service() -> configparser.SectionProxy:
    unit = configparser.ConfigParser(interpolation=None, strict=True)
    unit.optionxform = str  # names of systemd have capitals
    unit.read_string(UNIT.read_text())
    return unit["Service"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed here")
def test_systemd_finds_nothing_wrong_with_it(tmp_path):
    here = tmp_path / UNIT.name
    here.write_text(UNIT.read_text().replace("/opt/dragoman", str(REPOSITORY)))
    done = subprocess.run(["systemd-analyze", "verify", here], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_leaves_the_time_to_stop_in_order(service):
    one_group_ms = sum(grace_ms for _, grace_ms in STOP_LADDER)
    assert service["KillMode"] == "mixed", "the watchdog alone is told, and tells the others"
    assert int(service["TimeoutStopSec"]) * 1000 > 2 * one_group_ms, "first calls, then the others"


def test_it_permits_what_the_processes_ask_for(service):
    assert int(service["LimitRTPRIO"]) >= REALTIME_PRIORITY
    assert service["LimitNICE"] == "+0", "a standby comes back from being nice"
    assert (service["Type"], service["NotifyAccess"]) == ("notify", "main")
