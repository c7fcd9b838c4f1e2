"""The REST part keeps to its own description: schemathesis asks a real `ops` what that allows, and what it does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ops_box import OpsBox
from test_ops_voices import PASSWORD, Visitor
from voice_samples import profile

from appliance.voices.store import VoiceStore

TESTS = Path(__file__).parent
EXAMPLES = 5  # for each operation and phase
TOKEN = "post_token"  # ends the token that all others are asked with: asked by somebody who is logged in


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    made = OpsBox(tmp_path_factory.mktemp("box"), rtp="steady")
    made.start().wait_until_up()
    with VoiceStore(*made.place) as store:  # without consent: nobody waits for engines to speak
        store.put(*(profile(f"v-{number}", name=f"Ana {number}", consent=None) for number in range(3)))
    yield made
    made.end()


@pytest.fixture(scope="module")
def administrator(box):
    visitor = Visitor(box)
    secret = box.errors.read_text().split()[6]
    assert visitor.ask("POST", "/api/password", {"secret": secret, "password": PASSWORD})[0] == 200
    return visitor


def violations(box: OpsBox, folder: Path, *words: str) -> str:
    """What schemathesis finds wrong; empty if nothing."""
    address = f"http://127.0.0.1:{box.ops_port}/api/openapi.json"
    command = [sys.executable, "-m", "schemathesis.cli", "run", address]
    bounds = ["--seed=1", f"--max-examples={EXAMPLES}", "--generation-database=none", "--warnings=off", "--no-color"]
    surroundings = os.environ | {"SCHEMATHESIS_HOOKS": "rest_media", "PYTHONPATH": f"{TESTS}:{TESTS.parent}"}
    done = subprocess.run(
        [*command, *bounds, *words], cwd=folder, env=surroundings, capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_no_answer_is_another_than_described(box, administrator, tmp_path):
    token = administrator.ask("POST", "/api/token")[1]["token"]
    found = violations(box, tmp_path, f"--header=Authorization: Bearer {token}", f"--exclude-operation-id={TOKEN}")
    assert not found, found


def test_neither_to_somebody_who_is_logged_in(box, administrator, tmp_path):
    phases = "--phases=coverage,fuzzing"  # there is nothing to go on to
    headers = f"--header=Cookie: dragoman={administrator.cookie}", f"--header=X-CSRF-Token: {administrator.csrf}"
    found = violations(box, tmp_path, *headers, phases, f"--include-operation-id={TOKEN}")
    assert not found, found
