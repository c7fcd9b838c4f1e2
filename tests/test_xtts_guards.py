"""What keeps a voice from babbling, and parts of a long text together."""

import numpy as np
import pytest

from appliance.engines.protocols import Samples
from appliance.xtts.guards import Joint, closed, end_guard, has_words, most_tokens, parts

RATE_HZ = 24_000


def sound(*pieces: tuple[float, float]) -> Samples:
    """Noise of so many seconds at such levels."""
    noise = np.random.default_rng(1)
    return np.concatenate([level * noise.standard_normal(int(s * RATE_HZ)).astype(np.float32) for s, level in pieces])


@pytest.mark.parametrize(("text", "said"), [("", False), (" … ", False), ("?!", False), ("7", True), ("好", True)])
def test_what_has_words(text: str, said: bool) -> None:
    assert has_words(text) is said


@pytest.mark.parametrize(
    ("text", "known"), [("Sim", "Sim."), ("Sim!", "Sim!"), (" a  b ", "a b."), ("“Sim.”", "“Sim.”"), ("好。", "好。")]
)
def test_every_text_ends_with_a_mark(text: str, known: str) -> None:
    assert closed(text) == known


def test_a_short_text_is_one_part() -> None:
    assert parts("Sim, claro", "pt") == ["Sim, claro."]
    assert parts(" … ", "pt") == []


@pytest.mark.parametrize(
    ("language", "most", "text"),
    [
        ("pt", 203, "Eu gostaria de reservar uma mesa para duas pessoas, por favor, " * 12),
        ("zh-cn", 82, "我想为两个人预订一张桌子，如果可以的话，最好靠近窗户。" * 9),
        ("ja", 71, "あ" * 300),
        ("en", 250, "x" * 1000),
    ],
)
def test_a_long_text_is_cut_and_all_of_it_is_said(language: str, most: int, text: str) -> None:
    found = parts(text, language)
    assert len(found) > 1
    assert max(map(len, found)) <= most
    letters = [character for character in text if character.isalnum()]
    assert [character for part in found for character in part if character.isalnum()] == letters


def test_parts_end_where_a_speaker_breathes() -> None:
    text = "Obrigado pela sua ligação. " * 10
    assert all(part.endswith("ligação.") for part in parts(text, "pt"))


def test_the_bound_leaves_slow_speakers_time() -> None:
    assert most_tokens("Sim.", "pt") < 60 < most_tokens("Eu gostaria de reservar uma mesa.", "pt")
    slow_s = 33 / 10  # ten characters a second are slow already
    assert most_tokens("Eu gostaria de reservar uma mesa.", "pt") > 1.4 * slow_s * 21.53
    assert most_tokens("7831.", "pt") > most_tokens("sete oito três um.", "pt")  # it is read in words
    assert most_tokens("我想为两个人预订", "zh-cn") > most_tokens("abcdefgh", "en")


def chunks(samples: Samples, size: int = 3000) -> list[Samples]:
    return [samples[first : first + size] for first in range(0, len(samples), size)]


def guarded(text: str, samples: Samples) -> tuple[float, bool]:
    """How many seconds are kept, and whether it was cut off."""
    guard, kept = end_guard(text, "pt", RATE_HZ), 0
    for chunk in chunks(samples):
        good, is_over = guard.keep(chunk)
        kept += len(good)
        if is_over:
            return kept / RATE_HZ, True
    return kept / RATE_HZ, False


def test_babble_after_the_end_is_cut_off() -> None:
    kept_s, cut = guarded("Sim, claro.", sound((1.9, 0.1), (0.4, 0.0), (2.0, 0.1)))
    assert cut
    assert kept_s == pytest.approx(1.9 + 0.25, abs=0.02)


def test_pauses_within_the_text_are_kept() -> None:
    kept_s, cut = guarded("Eu gostaria de reservar uma mesa.", sound((1.0, 0.1), (0.5, 0.0), (1.0, 0.1), (0.2, 0.0)))
    assert (kept_s, cut) == (pytest.approx(2.7, abs=0.01), False)


def test_slow_speech_may_take_longer() -> None:
    assert (
        end_guard("Sim, claro.", "pt", RATE_HZ, 0.5).from_sample
        == 2 * end_guard("Sim, claro.", "pt", RATE_HZ).from_sample
    )


def test_parts_are_joined_without_a_click() -> None:
    joint, level = Joint(RATE_HZ), np.float32(0.5)
    told: list[Samples] = []
    for size in (700, 20, 2000, 1, 300):  # of each of two parts
        told.append(joint.feed(np.full(size, level), is_last=size == 300))
    told += [joint.feed(np.full(50, level), False), joint.feed(np.full(950, level), True)]
    whole = np.concatenate(told)
    assert len(whole) == 3021 + 1000
    assert whole[0] == 0
    assert np.abs(np.diff(whole)).max() < 2 * level / 120
    assert (whole[130:2900] == level).all()
    assert whole[3021] == 0
    assert whole[-1] < 0.01
    assert joint.feed(np.zeros(0, np.float32), True).size == 0
