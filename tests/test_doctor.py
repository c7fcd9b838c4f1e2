"""The examination of Asterisk, against a small server that answers as ARI does."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from appliance.config import AsteriskConfig, Config, Phone
from appliance.doctor import asterisk, host, place
from appliance.telephony.asterisk_config import TEMPLATES

MODULES = re.findall(r"(?m)^load = (\S+)", (TEMPLATES / "modules.conf").read_text())


@pytest.fixture
def ari():
    """A server whose `answers` (path → status and JSON value) can be set."""

    class Ari(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, value = server.answers[self.path.removeprefix("/ari/asterisk/")]
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Ari)
    server.answers = {
        "info": (200, {"build": {}, "system": {"version": "22.10.0", "entity_id": "00"}}),
        "modules": (200, [{"name": name, "status": "Running", "use_count": 0} for name in MODULES]),
    }
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def findings(ari) -> dict[str, tuple[str, str]]:
    config = AsteriskConfig(ari_url=f"http://127.0.0.1:{ari.server_port}", ari_password="x")
    return {finding.check: (finding.level, finding.found) for finding in asterisk.examine(config)}


def test_a_good_asterisk(ari):
    assert findings(ari) == {
        "Asterisk": ("ok", "version 22.10.0"),
        "Asterisk's modules": ("ok", f"all {len(MODULES)} are running"),
    }


def test_a_module_that_failed_to_load_is_named(ari):
    ari.answers["modules"] = (
        200,
        [{"name": n, "status": "Not Running" if n == "chan_rtp.so" else "Running"} for n in MODULES],
    )
    assert findings(ari)["Asterisk's modules"] == ("fault", "not running: chan_rtp.so")


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ((200, {"system": {"version": "18.2.0"}}), "is version 18.2.0"),
        ((401, {}), 'refuses the user "dragoman" or the password'),
        ((404, {}), "answers 404"),
        ((200, ["not what was asked for"]), "does not answer at"),
    ],
)
def test_an_asterisk_that_will_not_do(ari, answer, found):
    ari.answers["info"] = answer
    level, said = findings(ari)["Asterisk"]
    assert level == "fault"
    assert said.startswith(found)


def test_the_machine_can_be_examined_wherever_it_is():
    seen = list(host.examine())
    assert {"processors", "clock source", "real-time permission", "open files"} <= {finding.check for finding in seen}
    assert all(finding.fix for finding in seen if finding.level != "ok")


def test_the_passwords_of_the_example_are_pointed_out():
    config = Config(instance="test-doctor", phones=(Phone("a", password="change-me-a"), Phone("b", password="Xy7")))
    warned = [finding.found for finding in place.examine(config) if finding.check == "passwords"]
    assert warned == ['"a" has the one of the example']


def test_memory_that_does_not_fit_is_a_fault(monkeypatch):
    monkeypatch.setattr(place, "free_shm_bytes", lambda: 1_000_000)
    (found,) = [finding for finding in place.examine(Config(instance="test-doctor")) if finding.check == "/dev/shm"]
    assert found.level == "fault"
    assert found.fix.startswith("mount -o remount,size=")
