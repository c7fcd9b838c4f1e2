"""The page over TLS: a real process, a real browser with a microphone, and visitors in plain text."""

import asyncio
import base64
import hashlib
import re
import socket
import ssl
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
import soundfile
from browser import PROGRAM, browsing
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from ops_box import OpsBox
from recordings import prompt
from speakers import PROMPTS
from starlette.responses import PlainTextResponse

from appliance.ops.directions import directions
from appliance.ops.door import Way, way_for

NAME = "box.test"  # nobody takes it for this machine itself, as localhost is
PASSWORD = "correct horse"
ADDRESSES = [
    one.address
    for each in psutil.net_if_addrs().values()
    for one in each
    if one.family == socket.AF_INET and not one.address.startswith("127.")
]


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    folder = tmp_path_factory.mktemp("box")
    settings = f'host = "0.0.0.0"\nnames = ["{NAME}"]\ntls_folder = "{folder}/tls"'
    made = OpsBox(folder, settings, rtp="steady")
    made.start().wait_until_up()
    yield made
    made.end()


@pytest.fixture(scope="module")
def certificate(box) -> Path:
    return box.config.parent / "tls/page-certificate.pem"


@pytest.fixture(scope="module")
def visitor(box, certificate):
    """A program that trusts this certificate, and no other."""
    trusting = ssl.create_default_context(cafile=certificate)
    with httpx.Client(base_url=f"https://127.0.0.1:{box.ops_port}", verify=trusting, timeout=60) as made:
        yield made


def test_dragoman_up_says_what_a_technician_compares(box, certificate):
    secret, fingerprint = box.errors.read_text().splitlines()
    assert secret.startswith(f"first visit to https://{NAME}:{box.ops_port}/voices: the secret ")
    shown = ssl.get_server_certificate(("127.0.0.1", box.ops_port))
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(shown)).hexdigest()
    assert fingerprint.split()[-1].replace(":", "").lower() == digest
    assert certificate.read_text() == shown


def test_the_page_is_served_over_tls_and_its_cookie_goes_nowhere_else(box, visitor):
    assert visitor.get("/voices").status_code == 200
    secret = box.errors.read_text().split()[6]
    entered = visitor.post("/api/password", json={"secret": secret, "password": PASSWORD})
    assert entered.status_code == 200
    assert "; Secure" in entered.headers["set-cookie"]
    with httpx.Client(base_url=f"http://127.0.0.1:{box.ops_port}") as at_home:
        entered = at_home.post("/api/session", json={"password": PASSWORD})
        assert "; Secure" not in entered.headers["set-cookie"]


def test_nobody_takes_another_certificate_for_it(box):
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"https://127.0.0.1:{box.ops_port}/")
    with socket.create_connection(("127.0.0.1", box.ops_port)) as odd:
        odd.sendall(b"\x16\x03\x01\x00\x05nonsense of TLS")
        odd.settimeout(30)
        while odd.recv(1024):
            pass
    assert box.ask("/health/live")[0] == 200


def test_programs_on_the_box_ask_in_plain_text(box, visitor):
    assert box.ask("/voices")[0] == 200
    assert box.run("events", "-n", "1").returncode == 0
    series = 'dragoman_certificate_expiry_timestamp_seconds{certificate="page"}'
    box.until(lambda: "dragoman_certificate_usable{" in box.ask("/metrics")[1], "the certificate's metrics")
    shown = ssl.get_server_certificate(("127.0.0.1", box.ops_port))
    assert box.metric(series) == x509.load_pem_x509_certificate(shown.encode()).not_valid_after_utc.timestamp()
    assert visitor.get("/health/live").text == "live\n"


def test_the_box_makes_a_new_certificate_when_its_own_is_gone(box, visitor, certificate):
    before = certificate.read_text()
    assert visitor.get("/health/live").status_code == 200
    (certificate.parent / "page.pem").unlink()
    box.until(lambda: ssl.get_server_certificate(("127.0.0.1", box.ops_port)) != before, "a new certificate")
    assert ssl.get_server_certificate(("127.0.0.1", box.ops_port)) == certificate.read_text()
    assert visitor.get("/health/live").status_code == 200, "who is connected stays connected"


def test_a_certificate_that_cannot_be_used_keeps_out_nobody_but_those_elsewhere(tmp_path):
    settings = 'host = "0.0.0.0"\ncertificate_file = "/none.crt"\nkey_file = "/none.key"'
    box = OpsBox(tmp_path, settings, rtp="steady")
    try:
        box.start().wait_until_up()
        sentence = "ops.certificate_file: cannot read /none.crt: No such file or directory; correct the path"
        assert sentence in box.errors.read_text()
        assert len(box.wait_for(process="ops", level="error", text=sentence)) == 1
        box.until(lambda: "dragoman_certificate_usable{" in box.ask("/metrics")[1], "the certificate's metrics")
        assert box.metric('dragoman_certificate_usable{certificate="page"}') == 0
        with pytest.raises((ConnectionResetError, ssl.SSLEOFError)):
            ssl.get_server_certificate(("127.0.0.1", box.ops_port), timeout=60)
        assert (box.ask("/voices")[0], box.metric('dragoman_process_up{process="rtp"}')) == (200, 1)
    finally:
        box.end()


@pytest.mark.skipif(not ADDRESSES, reason="this machine has no address but its own")
def test_visitors_in_plain_text_are_sent_to_https(box):
    with httpx.Client(base_url=f"http://{ADDRESSES[0]}:{box.ops_port}") as outsider:
        sent_on = outsider.get("/voices?x=1")
        assert sent_on.headers["location"] == f"https://{ADDRESSES[0]}:{box.ops_port}/voices?x=1"
        assert outsider.get("/metrics").status_code == 200
        assert outsider.get("/state").status_code == 307
        assert outsider.post("/api/session", json={"password": PASSWORD}).status_code == 403


@pytest.mark.parametrize(
    ("first", "address", "way"),
    [
        (0x16, "192.0.2.7", Way.TLS),
        (0x16, "127.0.0.1", Way.TLS),
        (ord("G"), "127.0.0.1", Way.HOME),
        (ord("G"), "::1", Way.HOME),
        (ord("G"), "192.0.2.7", Way.ELSEWHERE),
        (ord("G"), "fe80::1%eth0", Way.ELSEWHERE),
        (0, "192.0.2.7", Way.ELSEWHERE),
    ],
)
def test_ways_are_told_apart(first, address, way):
    assert way_for(first, address) is way


@pytest.mark.parametrize(
    ("method", "path", "problem", "status", "words"),
    [
        ("GET", "/health/live", "", 200, "the app"),
        ("GET", "/metrics", "no key", 200, "the app"),
        ("GET", "/voices", "", 307, ""),
        ("GET", "/metrics/../state", "", 307, ""),
        ("POST", "/api/session", "", 403, "nothing is taken in plain text"),
        ("GET", "/voices", "no key", 503, "there is no certificate: no key"),
        ("POST", "/api/session", "no key", 503, "there is no certificate: no key"),
    ],
)
def test_directions(method, path, problem, status, words):
    told = directions(PlainTextResponse("the app"), lambda: problem)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(told), base_url="http://box.test:9") as client:
            return await client.request(method, path)

    answer = asyncio.run(ask())
    assert (answer.status_code, words in answer.text) == (status, True)


@pytest.mark.skipif(PROGRAM is None, reason="needs Debian's chromium, which is not installed")
def test_a_phones_browser_has_the_microphone_over_https_alone(box, certificate, tmp_path):
    soundfile.write(tmp_path / "microphone.wav", np.concatenate([prompt(name) for name in PROMPTS]), 16_000)
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    pin = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    options = (
        f"--host-resolver-rules=MAP {NAME} 127.0.0.1",
        f"--ignore-certificate-errors-spki-list={base64.b64encode(pin).decode()}",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={tmp_path / 'microphone.wav'}",
    )
    plain, safe = (f"{scheme}://{NAME}:{box.ops_port}/voices" for scheme in ("http", "https"))
    with browsing(plain, tmp_path / "browser", *options) as page:
        page.until(lambda text: "Administrator's password" in text)
        assert page.evaluate("navigator.mediaDevices === undefined"), "without TLS, no microphone"
        page.call("Page.navigate", url=safe)
        page.until(lambda _text: page.evaluate("location.protocol") == "https:")
        page.until(lambda text: "Administrator's password" in text)
        page.type(PASSWORD)
        page.press("Enter", 13, "\r")
        page.until(lambda text: "Somebody new" in text)
        page.evaluate("document.getElementById('record').click()")
        page.until(lambda text: "1:57 left" in text)
        page.evaluate("document.getElementById('record').click()")
        seen = page.until(lambda text: "take 1.wav:" in text)
    assert int(re.search(r"take 1.wav: (\d+) s of speech", seen)[1]) > 0
