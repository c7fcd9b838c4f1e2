"""The page of voices in a real browser, on a phone's screen and by keyboard alone."""

import re
from datetime import UTC, datetime

import numpy as np
import pytest
import soundfile
from browser import PROGRAM, Page, browsing
from ops_box import OpsBox
from recordings import prompt
from speakers import PROMPTS
from voice_samples import profile

from appliance.voices.store import VoiceStore

PASSWORD = "correct horse"
RATE_HZ = 16_000
TAB, ENTER, SPACE = ("Tab", 9), ("Enter", 13, "\r"), (" ", 32, " ")

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs Debian's chromium, which is not installed")


@pytest.fixture
def box(tmp_path):
    made = OpsBox(tmp_path, rtp="steady")
    made.start().wait_until_up()
    yield made
    made.end()


@pytest.fixture
def speech(tmp_path):
    """A person, for as long as the browser listens."""
    once = np.concatenate([prompt(name) for name in PROMPTS])
    soundfile.write(tmp_path / "microphone.wav", once, RATE_HZ)
    return tmp_path / "microphone.wav"


@pytest.fixture
def page(box, tmp_path, speech):
    """A browser with a phone's screen, in front of whose microphone somebody talks."""
    with VoiceStore(*box.place) as store:
        store.put(profile("v-ana", name="Ana <b>bold</b>"))
    options = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={speech}",
        "--autoplay-policy=no-user-gesture-required",
    )
    with browsing(f"http://127.0.0.1:{box.ops_port}/voices", tmp_path / "browser", *options) as made:
        made.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=3, mobile=True)
        yield made


def log_in(page: Page, box: OpsBox) -> None:
    """The first visit, typed."""
    page.until(lambda text: "First visit" in text)
    page.type(box.errors.read_text().split()[6])
    page.press(*TAB)
    page.type(PASSWORD)
    page.press(*ENTER)
    page.until(lambda text: "Somebody new" in text)


def until_focused(page: Page, label: str) -> None:
    """Press Tab until what is called so has the focus."""
    name = "document.activeElement.getAttribute('aria-label') || document.activeElement.textContent"
    for _ in range(40):
        if str(page.evaluate(name)).strip() == label:
            return
        page.press(*TAB)
    raise AssertionError(f"no way by keyboard to {label!r}")


def test_a_voice_is_renamed_and_deleted_by_keyboard_on_a_phone(page, box):
    log_in(page, box)
    seen = page.until(lambda text: "Ana <b>bold</b>" in text)
    assert "consent given by Ana Souza" in seen
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "it is wider than the screen"
    until_focused(page, "Rename: Ana <b>bold</b>")
    page.press(*ENTER)
    page.type("Ana Maria")
    page.press(*ENTER)
    page.until(lambda text: "Ana Maria" in text and "Ana <b>" not in text)
    until_focused(page, "Listen: Ana Maria")
    page.press(*ENTER)
    page.until(lambda text: "this is the stock voice of piper, not Ana Maria: piper clones no voices" in text)
    page.until(lambda _text: page.evaluate("document.querySelector('audio').readyState") > 0)  # it can be played
    until_focused(page, "Withdraw consent: Ana Maria")
    page.press(*ENTER)
    page.until(lambda text: "Has Ana Maria withdrawn consent?" in text)
    page.press(*TAB)
    page.press(*ENTER)
    page.until(lambda text: "consent withdrawn" in text)
    until_focused(page, "Delete: Ana Maria")
    page.press(*ENTER)
    page.until(lambda text: "for good? Nothing brings it back" in text)
    page.press(*ENTER)  # the focus is on what does no harm
    page.until(lambda text: "for good? Nothing" not in text and "Ana Maria" in text)
    until_focused(page, "Delete: Ana Maria")
    page.press(*ENTER)
    page.until(lambda text: "for good? Nothing brings it back" in text)
    page.press(*TAB)
    page.press(*ENTER)
    page.until(lambda text: "There are no voices yet." in text)


def test_somebody_is_invited_by_keyboard_on_a_phone_and_the_invitation_taken_back(page, box):
    log_in(page, box)
    page.evaluate("document.querySelector('#invite input[name=name]').focus()")
    page.type("Bruno <i>Dias</i>")
    until_focused(page, "Invite")
    page.press(*ENTER)
    seen = page.until(lambda text: "Tell Bruno <i>Dias</i>" in text and "Open invitations" in text)
    (code,) = re.findall(r"dial\s+700\s+key in\s+(\d{4} \d{4})\s+Good once, until \d+ \w+ \d{4}\.", seen)
    with VoiceStore(*box.place) as store:
        made = store.invitations.of(code.replace(" ", ""), datetime.now(UTC))
        assert (made.name, made.language) == ("Bruno <i>Dias</i>", "en")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "it is wider than the screen"
    assert page.evaluate("document.activeElement.id") == "ticket", "a screen reader reads it out"
    until_focused(page, "Take back: Bruno <i>Dias</i>")
    page.press(*ENTER)
    page.until(lambda text: "Take back the invitation of Bruno <i>Dias</i>?" in text)
    page.press(*TAB)
    page.press(*ENTER)
    page.until(lambda text: "Open invitations" not in text and "Tell Bruno" not in text)
    with VoiceStore(*box.place) as store:
        assert store.invitations.all(datetime.now(UTC)) == []


def test_a_wrong_password_is_said_and_the_right_one_lets_in(page, box):
    log_in(page, box)
    until_focused(page, "Log out")
    page.press(*ENTER)
    page.until(lambda text: "Administrator's password" in text)
    page.type("a wrong guess")
    page.press(*ENTER)
    assert "Somebody new" not in page.until(lambda text: "this is not the password" in text)
    page.evaluate("document.querySelector('#enter input').value = ''; document.querySelector('#enter input').focus()")
    page.type(PASSWORD)
    page.press(*ENTER)
    page.until(lambda text: "Somebody new" in text)


def test_the_microphone_is_heard_measured_and_missing_speech_is_said(page, box):
    log_in(page, box)
    assert "still missing: 180 s of speech" in page.text()
    until_focused(page, "Record with the microphone")
    page.press(*SPACE)
    page.until(lambda text: "1:55 left" in text)
    assert page.evaluate("document.getElementById('level').hidden") is False
    page.press(*SPACE)
    seen = page.until(lambda text: "take 1.wav:" in text)
    assert "still missing: 180 s of speech" not in seen
    assert page.evaluate("document.getElementById('enrol').disabled") is True
    until_focused(page, "Leave out take 1.wav")
    page.press(*ENTER)
    page.until(lambda text: "still missing: 180 s of speech" in text)


def test_somebody_is_enrolled_on_the_page(page, box, tmp_path, speech):
    samples, rate_hz = soundfile.read(speech)
    soundfile.write(tmp_path / "long.flac", np.tile(samples, 1 + 210 * rate_hz // len(samples)), rate_hz)
    log_in(page, box)
    page.call("DOM.enable")
    root = page.call("DOM.getDocument")["root"]["nodeId"]
    field = page.call("DOM.querySelector", nodeId=root, selector="#files")["nodeId"]
    page.call("DOM.setFileInputFiles", nodeId=field, files=[str(tmp_path / "long.flac")])
    page.until(lambda text: "there is enough speech" in text)
    page.evaluate("document.querySelector('#new input[name=name]').focus()")
    page.type("Carla")
    page.press(*TAB)
    page.type("Carla Dias")
    page.evaluate("document.getElementById('agreed').click()")
    until_focused(page, "Enrol")
    page.press(*ENTER)
    seen = page.until(lambda text: "The voice is on file." in text and "Carla Dias" in text)
    assert "sounds like a telephone" in seen
    with VoiceStore(*box.place) as store:
        assert {store.get(speaker_id).name for speaker_id in store.ids()} == {"Ana <b>bold</b>", "Carla"}
