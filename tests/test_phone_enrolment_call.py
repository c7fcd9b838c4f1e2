"""Somebody enrols by telephone: real Asterisk, a real softphone, a person's recorded speech; nothing is a fake."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from call_site import Appliance, Site, wait_until
from recordings import prompt
from speakers import PROMPTS, synthesizers

from appliance.config import Config, EnginesConfig, VoicesConfig
from appliance.demo.softphone import Softphone
from appliance.media.resample import resample
from appliance.telephony.enrolment_call import SILENCE_S
from appliance.voices import phone_prompts
from appliance.voices.comparison import compare
from appliance.voices.identity import load_encoder
from appliance.voices.intake import Recording
from appliance.voices.inviting import Wanted, invite
from appliance.voices.profile import Profile
from appliance.voices.store import VoiceStore

pytestmark = pytest.mark.call

NUMBER = "700"
CACHE = Config().cache_dir.expanduser()
PATIENCE_S = 60


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("enrol")
    voices = VoicesConfig(
        folder / "voices",
        folder / "voices.key",
        enrolment_number=NUMBER,
        enrolment_speech_s=15,
        prompts_folder=CACHE / "prompts",
    )
    with Site(folder, voices=voices, engines=EnginesConfig(synthesizers={"en": "piper"}), cache_dir=CACHE) as made:
        yield made


class Reader:
    """Somebody at a phone who is told what to say, and says something of a person."""

    def __init__(self, phone: Softphone, spool: Path) -> None:
        self.phone = phone
        self._spool = spool / "recording"
        self._seen: set[str] = set()

    def dial(self, code: str) -> None:
        """Call, and key in the code without waiting for the end of what is said."""
        self.phone.call(NUMBER)
        self.phone.wait_for("ESTABLISHED")
        self.phone.wait_for("RTPESTAB")
        self.phone.press(code)

    def is_asked(self) -> bool:
        """Whether a recording has begun that was not there before."""
        new = {path.name for path in self._spool.glob("*")} - self._seen
        self._seen |= new
        return bool(new)

    def wait_until_asked(self) -> None:
        """Skip the prompts, until something is recorded."""
        deadline = time.monotonic() + PATIENCE_S
        while not self.is_asked():
            assert time.monotonic() < deadline, "nothing was recorded"
            self.phone.press("5")

    def read(self, name: str) -> None:
        """Say one of the recordings after the next prompt."""
        self.wait_until_asked()
        samples = prompt(name)
        self.phone.say((samples * 32767).astype(np.int16))
        time.sleep(len(samples) / 16_000 + SILENCE_S + 0.5)  # a key pressed before that would cut holes into it

    def left_behind(self) -> list[str]:
        """What of a voice is on Asterisk's disk."""
        return sorted(path.name for path in self._spool.glob("*"))


def code_for(site: Site, name: str) -> str:
    with VoiceStore(site.config.voices.folder, site.config.voices.key_file) as store:
        return invite(store, Wanted(name), ("en",), datetime.now(UTC))[0]


def recording(name: str, samples: np.ndarray) -> Recording:
    return Recording(name, 8000, 1, resample(samples, 16_000, 8000))


def hears_that_the_appliance_is_away(ann: Softphone) -> None:
    """By a prompt of Asterisk's own."""
    ann.call(NUMBER)
    ann.wait_for("ESTABLISHED")
    ann.wait_for("CLOSED")
    said = ann.heard()
    assert said is not None
    assert np.abs(np.frombuffer(said.read_bytes()[44:], "<i2")).max() > 1000


def hangs_up_midway(site: Site, reader: Reader, code: str) -> None:
    reader.dial(code)
    reader.read(PROMPTS[0])
    reader.wait_until_asked()
    reader.phone.hang_up()
    reader.phone.wait_for("CLOSED")
    wait_until(site.is_empty, "nothing is left in Asterisk")
    wait_until(lambda: not reader.left_behind(), "nothing of the voice is on the disk")


def is_cut_off_by_a_crash(appliance: Appliance, reader: Reader, code: str) -> None:
    """What was said is lost with the process, so the caller begins anew."""
    reader.dial(code)
    reader.wait_until_asked()
    appliance.kill()
    appliance.start()
    reader.phone.wait_for("CLOSED")
    wait_until(lambda: not reader.left_behind(), "nothing of the voice is on the disk")


def enrols(site: Site, reader: Reader, code: str) -> Profile:
    """The profile that comes of reading to the end."""
    reader.dial(code)
    for name in PROMPTS[:4]:  # the last one stands for the consent
        reader.read(name)
    assert len(reader.left_behind()) == 1, "only the consent is still there"
    with VoiceStore(site.config.voices.folder, site.config.voices.key_file) as store:
        deadline = time.monotonic() + PATIENCE_S
        while not store.ids():
            assert time.monotonic() < deadline, "the voice did not come on file"
            reader.phone.press("1")
        (profile,) = (store.get(each) for each in store.ids())
        assert store.invitations.of(code, datetime.now(UTC)) is None, "a code is good once"
    reader.phone.wait_for("CLOSED", PATIENCE_S)
    wait_until(lambda: not reader.left_behind(), "nothing of the voice is on the disk")
    assert profile is not None
    return profile


def test_somebody_enrols_by_telephone(site: Site, ann: Softphone) -> None:
    reader = Reader(ann, site.folder / "asterisk/state/spool")
    hears_that_the_appliance_is_away(ann)
    with site.appliance() as appliance:
        folder = site.config.voices.prompts_folder
        wait_until(lambda: not phone_prompts.missing(folder, "en"), "the prompts are made", PATIENCE_S)
        code = code_for(site, "Allison")
        hangs_up_midway(site, reader, code)
        is_cut_off_by_a_crash(appliance, reader, code)
        profile = enrols(site, reader, code)

    assert profile.name == "Allison"
    assert profile.consent is not None
    assert profile.consent.wording == phone_prompts.wording("en")
    assert profile.consent.recording.startswith(b"fLaC")
    assert profile.quality is not None
    assert profile.quality.bandwidth_hz <= 4000, "a telephone"
    encoder = load_encoder(CACHE)
    same = compare(profile, [recording("same", np.concatenate([prompt(name) for name in PROMPTS[4:]]))], encoder)
    _, texts = next(synthesizers())
    other = compare(profile, [recording("other", np.concatenate(texts))], encoder)
    assert same.together.similarity > 0.8
    assert other.together.similarity < 0.7
