"""The original is heard softly, softer still under the translation, and never jumps."""

from itertools import pairwise

import numpy as np
import pytest

from appliance.media.under_talk import DUCK_DB, UnderTalk
from appliance.units import FRAME_SAMPLES

LOUD = np.full(FRAME_SAMPLES, 10_000, "<i2").tobytes()
QUIET = np.zeros(FRAME_SAMPLES, "<i2").tobytes()


def level_db(frame: bytes | None) -> float:
    """Its last sample against LOUD."""
    assert frame is not None
    return float(20 * np.log10(np.frombuffer(frame, "<i2")[-1] / 10_000))


def test_the_original_alone_is_heard_at_its_level():
    assert level_db(UnderTalk(-18).mix(None, LOUD)) == pytest.approx(-18, abs=0.1)


def test_a_translation_ducks_it_within_60_ms_and_it_comes_back_slowly():
    under = UnderTalk(-18)
    under.mix(None, LOUD)
    ducked = [level_db(under.mix(QUIET, LOUD)) for _ in range(4)]
    assert ducked == pytest.approx([-22, -26, -30, -30], abs=0.2)
    held = [level_db(under.mix(None, LOUD)) for _ in range(14)]
    assert held == pytest.approx([-18 + DUCK_DB] * 14, abs=0.2)
    back = [level_db(under.mix(None, LOUD)) for _ in range(40)]
    assert back[-1] == pytest.approx(-18, abs=0.1)
    assert np.diff(back).max() < 0.6


def test_the_level_glides_from_frame_to_frame():
    under = UnderTalk(-6)
    frames = [under.mix(QUIET if 5 <= tick < 10 else None, LOUD) for tick in range(60)]
    heard = np.frombuffer(b"".join(frame or b"" for frame in frames), "<i2").astype(float)
    assert np.abs(np.diff(heard)).max() < 50


def test_the_translation_itself_is_never_softer():
    assert np.frombuffer(UnderTalk(-18).mix(LOUD, QUIET) or b"", "<i2").tolist() == [10_000] * FRAME_SAMPLES


def test_what_is_too_loud_together_saturates():
    full = np.full(FRAME_SAMPLES, 32_000, "<i2").tobytes()
    assert np.frombuffer(UnderTalk(0).mix(full, full) or b"", "<i2").max() == 32_767


def test_off_leaves_the_translation_as_it_is():
    under = UnderTalk(None)
    assert under.mix(LOUD, LOUD) is LOUD
    assert under.mix(None, LOUD) is None


@pytest.mark.parametrize("level", [-18, None])
def test_an_original_rises_to_full_level_without_a_jump_and_falls_again(level):
    under = UnderTalk(level)
    shares = [0, *(step / 10 for step in range(11)), *(step / 10 for step in reversed(range(10))), 0]
    frames = [under.raise_over(under.mix(None, None), LOUD, *pair) for pair in pairwise(shares)]
    levels = [level_db(frame) for frame in frames]
    assert levels[10] == pytest.approx(0, abs=0.1)
    assert levels[0] == pytest.approx(levels[-1], abs=0.5)
    assert levels[-1] < -15
    heard = np.frombuffer(b"".join(frames), "<i2").astype(float)
    assert np.abs(np.diff(heard)).max() < 50


def test_an_original_rises_from_where_its_translation_had_ducked_it():
    under = UnderTalk(-18)
    for _ in range(5):
        ducked = under.mix(QUIET, LOUD)
    first = under.raise_over(under.mix(QUIET, None), LOUD, 0, 0.1)
    assert np.frombuffer(first, "<i2")[0] == pytest.approx(np.frombuffer(ducked, "<i2")[-1], abs=5)


def test_silence_on_both_sides_is_silence():
    assert UnderTalk().mix(None, None) is None


def test_nobody_wants_the_original_louder_than_it_is():
    with pytest.raises(ValueError, match="at most 0 dB"):
        UnderTalk(3)
