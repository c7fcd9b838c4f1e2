"""Voices over HTTP, in a real appliance: the REST part as programs meet it, and the page in a real browser."""

import http.client
import io
import json
import re
import time
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import psutil
import pytest
import soundfile
from ops_box import OpsBox
from recordings import prompt
from speakers import PROMPTS, synthesizers
from voice_samples import profile

from appliance.voices.store import VoiceStore

FILES = resources.files("appliance.ops.voices")
PAGE = FILES.joinpath("voices.html").read_text(encoding="utf-8")
SCRIPTS = {f"/voices/{file.name}": file.read_text("utf-8") for file in FILES.iterdir() if file.name.endswith(".js")}
PASSWORD = "correct horse"
RATE_HZ = 16_000
PATIENCE_S = 120


class Visitor:
    """A browser's or a program's side of HTTP: keeps the cookie and what the page knows."""

    def __init__(self, box, token=""):
        self.box = box
        self.cookie = self.csrf = ""
        self.token = token

    def ask(self, method, path, content=None, **headers):
        """Status and JSON of an answer."""
        body = content if isinstance(content, bytes) or content is None else json.dumps(content).encode()
        headers |= {"x-csrf-token": self.csrf, "cookie": f"dragoman={self.cookie}"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        connection = http.client.HTTPConnection("127.0.0.1", self.box.ops_port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, headers)
            self.answer = answer = connection.getresponse()
            if given := answer.getheader("set-cookie"):
                self.cookie = re.match(r"dragoman=([^;]*)", given)[1].strip('"')
                assert "HttpOnly" in given
                assert "samesite=strict" in given.lower()
            content = answer.read()
        finally:
            connection.close()
        if answer.getheader("content-type") == "audio/wav":
            return answer.status, content
        said = json.loads(content) if content else None
        if answer.status == 200 and isinstance(said, dict):
            self.csrf = said.get("csrf", self.csrf)
        return answer.status, said


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    made = OpsBox(tmp_path_factory.mktemp("box"), rtp="steady")
    made.start().wait_until_up()
    yield made
    made.end()


@pytest.fixture(scope="module")
def secret(box):
    (line,) = box.errors.read_text().splitlines()
    assert line.startswith(f"first visit to http://127.0.0.1:{box.ops_port}/voices: the secret ")
    return line.split()[6]


@pytest.fixture(scope="module")
def administrator(box, secret):
    """The first visit."""
    visitor = Visitor(box)
    assert visitor.ask("GET", "/api/session") == (200, {"state": "new", "csrf": ""})
    assert visitor.ask("POST", "/api/password", {"secret": "0-0", "password": PASSWORD})[0] == 403
    status, visit = visitor.ask("POST", "/api/password", {"secret": secret, "password": PASSWORD})
    assert (status, visit["state"]) == (200, "in")
    return visitor


@pytest.fixture
def voices(box):
    """Some voices on file, and none afterwards."""
    with VoiceStore(*box.place) as store:
        store.put(profile("v-ana", name="Ana <b>", phone_numbers=("1001",)), profile("v-bruno", name="Bruno"))
        yield store
        for speaker_id in store.ids():
            store.delete(speaker_id)


def wav(folder, samples):
    soundfile.write(folder / "take.wav", samples, RATE_HZ)
    return (folder / "take.wav").read_bytes()


@pytest.fixture(scope="module")
def long_take():
    """180 s and more of one person's speech."""
    once = np.concatenate([prompt(name) for name in PROMPTS])
    return np.tile(once, 1 + int(210 * RATE_HZ / len(once)))


def test_somebody_is_invited_to_enrol_by_telephone(administrator, voices):
    status, invited = administrator.ask(
        "POST",
        "/api/invitations",
        {"name": "Carla", "language": "en", "phone_numbers": ["+1 555 01"], "consent_until": "2999-01-31"},
    )
    assert (status, invited["number"], invited["consent_until"]) == (201, "700", "2999-01-31"), invited
    made = voices.invitations.of(invited.pop("code"), datetime.now(UTC))
    assert (made.name, made.language, made.phone_numbers) == ("Carla", "en", ("155501",))
    assert f"{made.consent_ends_at:%Y-%m-%d}" == "2999-02-01"
    status, listed = administrator.ask("GET", "/api/invitations")
    invited.pop("number")
    assert (status, listed["number"], listed["invitations"]) == (200, "700", [invited])
    assert "en" in listed["languages"]
    assert administrator.ask("DELETE", f"/api/invitations/{invited['id']}") == (204, None)
    status, said = administrator.ask("DELETE", f"/api/invitations/{invited['id']}")
    assert (status, said["error"].partition(":")[0]) == (404, f"there is no invitation {invited['id']} any more")
    assert voices.invitations.all(datetime.now(UTC)) == []


@pytest.mark.usefixtures("voices")
@pytest.mark.parametrize(
    ("asked", "status", "sentence"),
    [
        ({"name": "bruno"}, 409, 'there is a voice called "bruno" already (v-bruno); take another name'),
        ({"name": "C", "language": "xx"}, 409, 'there are no prompts in "xx" on this box; choose among: '),
        ({"name": "C", "phone_numbers": ["home"]}, 400, "'home' is not a phone number; write it with its digits"),
        ({"name": "C", "consent_until": "2001-01-31"}, 409, "a consent until 2001-01-31 has ended already"),
    ],
)
def test_an_invitation_that_will_not_do_is_refused_in_words(administrator, asked, status, sentence):
    given, said = administrator.ask("POST", "/api/invitations", asked)
    assert (given, said["error"][: len(sentence)]) == (status, sentence)
    assert administrator.ask("GET", "/api/invitations")[1]["invitations"] == []


@pytest.mark.usefixtures("administrator")
def test_who_is_not_logged_in_learns_nothing(box, voices):
    stranger = Visitor(box)
    described = stranger.ask("GET", "/api/openapi.json")[1]
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            if operation["security"]:
                status, said = stranger.ask(method.upper(), re.sub(r"{\w+}", "v-ana", path))
                assert (status, list(said)) == (401, ["error"]), (method, path)
    assert stranger.ask("POST", "/api/session", {"password": "a guess"}) == (403, {"error": "this is not the password"})
    assert "v-ana" in voices.ids()


def test_a_cookie_without_the_page_changes_nothing(box, administrator, voices):
    other_site = Visitor(box)
    other_site.cookie = administrator.cookie
    assert other_site.ask("DELETE", "/api/voices/v-ana") == (403, {"error": "the page is too old; load it again"})
    assert "v-ana" in voices.ids()
    assert other_site.ask("GET", "/api/voices")[0] == 200


def test_voices_are_listed_renamed_withdrawn_and_deleted(administrator, voices):
    status, said = administrator.ask("GET", "/api/voices")
    assert (status, [one["name"] for one in said["voices"]], said["damaged"]) == (200, ["Ana <b>", "Bruno"], [])
    assert "vector" not in json.dumps(said)
    assert administrator.ask("PATCH", "/api/voices/v-ana", {"name": "Ana"})[1]["name"] == "Ana"
    assert administrator.ask("GET", "/api/voices/v-ana")[1]["name"] == "Ana"
    assert administrator.ask("POST", "/api/voices/v-ana/withdrawal")[1]["consent"] == "withdrawn"
    assert administrator.ask("DELETE", "/api/voices/v-ana") == (204, None)
    assert voices.ids() == ["v-bruno"]


@pytest.mark.usefixtures("voices")
def test_a_program_uses_a_token(box, administrator):
    token = administrator.ask("POST", "/api/token")[1]["token"]
    program = Visitor(box, token)
    assert program.ask("PATCH", "/api/voices/v-bruno", {"name": "B."})[0] == 200
    administrator.ask("POST", "/api/token")
    assert program.ask("GET", "/api/voices") == (401, {"error": "this is not the token; make a new one on the page"})


@pytest.mark.usefixtures("voices")
@pytest.mark.parametrize(
    ("asked", "status", "sentence"),
    [
        (("GET", "/api/nothing"), 404, "there is no /api/nothing here; see /api/openapi.json"),
        (("DELETE", "/api/voices/"), 404, "there is no /api/voices/ here; see /api/openapi.json"),
        (("PUT", "/api/voices"), 405, "PUT /api/voices: Method Not Allowed"),
        (("GET", "/api/voices/v-nobody"), 404, "there is no voice v-nobody; see: dragoman voices list"),
        (("GET", "/api/voices/.."), 404, "there is no voice '..'; see: dragoman voices list"),
        (("PATCH", "/api/voices/v-ana", b"{"), 400, "the request cannot be understood: Input data was truncated"),
        (("PATCH", "/api/voices/v-ana", {"name": ""}), 400, "the request cannot be understood: Expected `str`"),
        (("PATCH", "/api/voices/v-ana", {"id": "x"}), 400, "the request cannot be understood: Object"),
        (("PATCH", "/api/voices/v-ana", b" " * 70_000), 413, "the request is longer than 64 kB"),
        (("POST", "/api/recordings?name=song.mp3", b"ID3 is no sound"), 400, "song.mp3 is neither WAV nor FLAC"),
        (("POST", "/api/recordings?name=%2e%2e/x%00y", b""), 400, "x_y is neither WAV nor FLAC"),
        (("DELETE", "/api/recordings/r-1"), 404, "there is no recording r-1; upload it again"),
        (
            ("POST", "/api/enrolments", {"name": "A", "consent_by": "A", "recordings": ["r-1"]}),
            404,
            "there is no recording r-1; upload it again",
        ),
        (
            ("POST", "/api/enrolments", {"name": "A", "recordings": ["r-1"]}),
            400,
            "the request cannot be understood: Object missing required field `consent_by`",
        ),
        (("GET", "/api/enrolments/e-1"), 404, "there is no enrolment e-1; look at the list of voices"),
    ],
    ids=lambda value: " ".join(map(str, value[:2])) if isinstance(value, tuple) else "",
)
def test_a_bad_request_gets_one_sentence(administrator, asked, status, sentence):
    given, said = administrator.ask(*asked)
    assert given == status
    assert list(said) == ["error"]
    assert said["error"].startswith(sentence)
    assert len(said["error"].splitlines()) == 1


def enrol(administrator, **asked):
    """The last state of an enrolment, and all that were seen on the way."""
    status, progress = administrator.ask("POST", "/api/enrolments", asked)
    assert status == 202, progress
    seen = [progress]
    deadline = time.monotonic() + PATIENCE_S
    while progress["state"] == "working" and time.monotonic() < deadline:
        time.sleep(0.1)
        progress = administrator.ask("GET", f"/api/enrolments/{progress['id']}")[1]
        seen.append(progress)
    return progress, seen


def test_somebody_is_enrolled_over_http(administrator, voices, tmp_path, long_take):
    status, take = administrator.ask(
        "POST", "/api/recordings?name=take 1.wav".replace(" ", "%20"), wav(tmp_path, long_take)
    )
    assert (status, take["name"]) == (201, "take 1.wav")
    assert take["figures"]["speech_s"] > 180
    assert "sounds like a telephone" in take["advice"][0]
    taken, _ = enrol(administrator, name="bruno", consent_by="Carla", recordings=[take["id"]])
    assert (taken["state"], taken["sentences"]) == (
        "refused",
        ['there is a voice called "bruno" already; take another name, or delete that one'],
    )
    done, seen = enrol(
        administrator,
        name="Carla",
        consent_by="Carla",
        consent_until="2999-01-31",
        phone_numbers=["+55 11 9"],
        recordings=[take["id"]],
    )
    assert done["state"] == "done", done
    shares = [one["share"] for one in seen]
    assert shares == sorted(shares)
    carla = voices.get(done["speaker_id"])
    assert (carla.name, carla.phone_numbers, carla.identity.model) == ("Carla", ("55119",), "resemblyzer")
    assert f"{carla.consent.expires_at:%Y-%m-%d}" == "2999-02-01"
    assert administrator.ask("DELETE", f"/api/recordings/{take['id']}")[0] == 404, "it is not kept"


def test_what_will_not_do_is_refused_in_words(administrator, voices, tmp_path):
    _, said = next(synthesizers())
    _, take = administrator.ask("POST", "/api/recordings?name=short.wav", wav(tmp_path, np.concatenate(said)))
    refused, _ = enrol(administrator, name="Joe", consent_by="Joe", recordings=[take["id"]])
    assert refused["state"] == "refused"
    assert re.match(r"only \d+ s of speech in 1 file \(180 s needed\); record more", refused["sentences"][0])
    assert administrator.ask("DELETE", f"/api/recordings/{take['id']}") == (204, None)
    assert voices.ids() == ["v-ana", "v-bruno"]


def test_a_voice_is_listened_to_over_http_and_a_stock_voice_is_called_one(administrator, voices):
    voices.put(profile("v-ana", name="Ana"))
    status, wav = administrator.ask("POST", "/api/voices/v-ana/speech", {"text": "Good morning, madam."})
    assert status == 200, wav
    samples, _rate_hz = soundfile.read(io.BytesIO(wav))
    assert np.abs(samples).max() > 0.05
    assert administrator.answer.getheader("x-dragoman-voice") == "stock"
    said = unquote(administrator.answer.getheader("x-dragoman-sentence"))
    assert said == "this is the stock voice of piper, not Ana: piper clones no voices"
    voices.put(profile("v-ana", name="Ana", consent=None))
    status, said = administrator.ask("POST", "/api/voices/v-ana/speech", {})
    assert (status, said["error"].partition(",")[0]) == (409, "the voice of Ana has no consent on file")


def test_a_killed_ops_leaves_no_recording_behind(tmp_path, long_take):
    box = OpsBox(tmp_path, rtp="steady")
    try:
        box.start().wait_until_up()
        visitor = Visitor(box)
        secret = box.errors.read_text().split()[6]
        visitor.ask("POST", "/api/password", {"secret": secret, "password": PASSWORD})
        _, take = visitor.ask("POST", "/api/recordings?name=take.wav", wav(tmp_path, long_take))
        ops = psutil.Process(box.pids()["ops"])
        opened = [link.readlink() for link in Path(f"/proc/{ops.pid}/fd").iterdir()]
        assert [str(path) for path in opened if "tmp" in str(path) and "(deleted)" in str(path)], opened
        asked = {"name": "Ana", "consent_by": "Ana", "recordings": [take["id"]]}
        assert visitor.ask("POST", "/api/enrolments", asked)[0] == 202
        ops.kill()
        box.wait_for(component="ops", status="exited (SIGKILL)")
        box.wait_for(component="ops", status="up", count=2)
        assert visitor.ask("GET", "/api/voices")[0] == 401, "everybody logs in again"
        assert visitor.ask("POST", "/api/session", {"password": PASSWORD})[0] == 200
        assert visitor.ask("DELETE", f"/api/recordings/{take['id']}")[0] == 404
    finally:
        box.end()


def test_the_description_names_what_there_is(box):
    described = Visitor(box).ask("GET", "/api/openapi.json")[1]
    assert described["openapi"] == "3.1.0"
    text = json.dumps(described)
    for reference in set(re.findall(r"#/components/schemas/(\w+)", text)):
        assert reference in described["components"]["schemas"]
    assert described["paths"]["/api/enrolments"]["post"]["requestBody"]["content"]["application/json"]["schema"]


def test_the_page_needs_nothing_from_elsewhere(box):
    for path, content in {"/voices": PAGE, **SCRIPTS}.items():
        assert box.ask(path) == (200, content)
        assert not re.search(r"https?://(?!127\.0\.0\.1)|//[a-z]+\.|@import|url\(", content), path
        assert "innerHTML" not in content, "what comes over the wire is text"
    policy = box.header("/voices", "content-security-policy")
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy, "no script but those"
