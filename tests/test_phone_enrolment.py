"""Enrolment by telephone, piece by piece: who may, invitations, prompts, and what a take is worth."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from G722 import G722
from recordings import prompt
from speakers import PROMPTS, synthesizers
from voice_samples import NOW, profile

from appliance.config import Config
from appliance.media.resample import resample
from appliance.telephony.enrolment import MOST_WRONG_CODES, WRONG_CODES_S, is_guessing, may_enrol
from appliance.units import NS_PER_S
from appliance.voices import phone_prompts
from appliance.voices.errors import VoiceError
from appliance.voices.identity import load_encoder
from appliance.voices.intake import Recording
from appliance.voices.invitations import MOST
from appliance.voices.inviting import Wanted, invite
from appliance.voices.phone_takes import judge
from appliance.voices.store import VoiceStore

DAY = timedelta(days=1)
LANGUAGES = ("en", "pt-br")


@pytest.fixture
def store(tmp_path: Path):
    with VoiceStore(tmp_path / "voices", tmp_path / "key") as opened:
        yield opened


@pytest.mark.parametrize(
    ("channel", "may"),
    [
        ("PJSIP/ana-0000001f", True),
        ("PJSIP/pbx-00000001", True),
        ("PJSIP/carrier-00000001", False),
        ("PJSIP/ana-b-00000001", False),
        ("Local/ana-00000001", False),
    ],
)
def test_only_phones_and_the_named_trunks_may(channel: str, may: bool) -> None:
    assert may_enrol(channel, {"ana"}, ("pbx",)) is may


def test_many_wrong_codes_close_the_door_for_a_while() -> None:
    wrong_ns = [second * NS_PER_S for second in range(MOST_WRONG_CODES)]
    assert not is_guessing(wrong_ns[1:], 20 * NS_PER_S)
    assert is_guessing(wrong_ns, 20 * NS_PER_S)
    assert not is_guessing(wrong_ns, (WRONG_CODES_S + 1) * NS_PER_S)


def test_a_code_is_good_for_some_days_and_once(store: VoiceStore) -> None:
    code, made = invite(store, Wanted("Ana", "", ("+55 11 9",), date(2027, 1, 31)), LANGUAGES, NOW)
    assert (made.language, made.phone_numbers) == ("en", ("55119",))
    assert f"{made.consent_ends_at:%Y-%m-%d}" == "2027-02-01"
    assert len(code) == 8
    assert store.invitations.of(code, NOW + 6 * DAY) == made
    assert store.invitations.of(code, NOW + 8 * DAY) is None
    assert store.invitations.of(f"{(int(code) + 1) % 10**8:08d}", NOW) is None
    assert store.invitations.all(NOW) == [made]
    store.invitations.used(code)
    assert store.invitations.of(code, NOW) is None


def test_an_invitation_is_not_readable_in_the_file(store: VoiceStore, tmp_path: Path) -> None:
    code, _ = invite(store, Wanted("Ana Souza"), LANGUAGES, NOW)
    content = (tmp_path / "voices/data.mdb").read_bytes()
    assert b"Ana Souza" not in content
    assert code.encode() not in content


def test_an_invitation_is_taken_back_by_name(store: VoiceStore) -> None:
    code, _ = invite(store, Wanted("Ana"), LANGUAGES, NOW)
    assert store.invitations.take_back("ana") == 1
    assert store.invitations.of(code, NOW) is None
    with pytest.raises(VoiceError, match='nobody called "ana" is invited'):
        store.invitations.take_back("ana")


def test_what_has_ended_makes_room(store: VoiceStore) -> None:
    for _ in range(MOST):
        invite(store, Wanted("Ana"), LANGUAGES, NOW)
    with pytest.raises(VoiceError, match="there are 100 invitations already"):
        invite(store, Wanted("Bruno"), LANGUAGES, NOW)
    invite(store, Wanted("Bruno"), LANGUAGES, NOW + 8 * DAY)
    assert [one.name for one in store.invitations.all(NOW + 8 * DAY)] == ["Bruno"]


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (Wanted("ANA"), 'there is a voice called "ANA" already (v-ana)'),
        (Wanted("B", "de"), 'there are no prompts in "de" on this box; choose among: en, pt-br'),
        (Wanted("B", numbers=("x",)), "'x' is not a phone number"),
        (Wanted(" "), "a name has 1 to 200 characters"),
        (Wanted("B", until=date(2020, 1, 1)), "a consent until 2020-01-01 has ended already"),
    ],
)
def test_who_cannot_be_invited_is_refused_in_words(store: VoiceStore, wanted: Wanted, sentence: str) -> None:
    store.put(profile("v-ana", name="Ana"))
    with pytest.raises(VoiceError) as refused:
        invite(store, wanted, LANGUAGES, NOW)
    assert str(refused.value).startswith(sentence)


def test_a_replacement_keeps_id_and_numbers(store: VoiceStore) -> None:
    store.put(profile("v-ana", name="Ana", phone_numbers=("1001",)))
    _, made = invite(store, Wanted("Ana", replace=True), LANGUAGES, NOW)
    assert (made.replaces, made.phone_numbers) == ("v-ana", ("1001",))


def test_every_language_has_every_prompt_and_enough_sentences() -> None:
    keys = {language: [one.key for one in phone_prompts.prompts(language)] for language in phone_prompts.languages()}
    assert set(keys) == {"en", "pt-br"}
    assert keys["en"] == keys["pt-br"]
    for language in keys:
        toned = {one.key for one in phone_prompts.prompts(language) if one.tone}
        assert toned == {"consent", *(f"sentence-{number + 1}" for number in range(phone_prompts.sentences(language)))}
    assert phone_prompts.usable(("de", "pt-br", "en")) == ("pt-br", "en")


def test_a_prompt_of_another_text_is_missing(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    phone_prompts.path(tmp_path, "en", "welcome").touch()
    (tmp_path / "en/goodbye-000000000000.wav16").touch()
    assert {one.key for one in phone_prompts.prompts("en")} - {
        one.key for one in phone_prompts.missing(tmp_path, "en")
    } == {"welcome"}


def take(samples: np.ndarray) -> Recording:
    """As it comes through G.722."""
    pcm = (np.clip(samples, -1, 1) * 32767).astype(np.int16)
    heard = G722(16_000, 64_000).decode(G722(16_000, 64_000).encode(pcm))
    return Recording("take", 16_000, 1, np.asarray(heard, np.float32) / 32768)


def test_what_a_take_is_worth() -> None:
    encoder = load_encoder(Config().cache_dir.expanduser())
    loud = prompt(PROMPTS[0]) / np.abs(prompt(PROMPTS[0])).max()
    good = judge(take(0.7 * loud), [], 0, encoder)
    assert good.heard.flaw is None
    assert good.heard.speech_s > 5
    assert good.partials is not None
    noise = np.random.default_rng(1).normal(0, 0.1, len(loud)).astype(np.float32)
    _, texts = next(synthesizers())
    bad = {
        "nothing": np.zeros(32_000, np.float32),
        "short": np.concatenate([np.zeros(16_000, np.float32), 0.7 * loud[:24_000], np.zeros(16_000, np.float32)]),
        "noisy": 0.3 * loud + noise,
        "overdriven": np.clip(4 * loud, -0.7, 0.7),
        "other": resample(texts[0], 16_000),
    }
    for flaw, samples in bad.items():
        judged = judge(take(samples), [good.partials], good.heard.speech_s, encoder)
        assert (judged.heard.flaw, judged.partials) == (flaw, None), flaw
    again = judge(take(0.7 * prompt(PROMPTS[1])), [good.partials], good.heard.speech_s, encoder)
    assert again.heard.flaw is None
