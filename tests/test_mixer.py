"""Mixing: the sum, saturated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.media.mixer import mix, mix_softly

frames = st.lists(st.integers(-32768, 32767), min_size=4, max_size=4).map(lambda s: np.array(s, "<i2").tobytes())


@given(st.lists(frames, min_size=1, max_size=5))
def test_a_mix_is_the_saturated_sum(heard):
    exact = sum(np.frombuffer(frame, "<i2").astype(int) for frame in heard)
    assert np.frombuffer(mix(heard), "<i2").tolist() == np.clip(exact, -32768, 32767).tolist()


def test_one_frame_is_its_own_mix():
    assert mix([b"\x01\x02"]) == b"\x01\x02"


def test_nothing_cannot_be_mixed():
    with pytest.raises(ValueError, match="nothing"):
        mix([])


def test_frames_longer_than_20_ms_are_mixed_to_their_ends():
    long = np.arange(1000, dtype="<i2").tobytes()
    assert np.frombuffer(mix([long, long]), "<i2").tolist() == list(range(0, 2000, 2))


@given(frames, st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4), st.none() | frames)
def test_a_soft_mix_is_the_saturated_sum_of_what_is_left(soft, gains, loud):
    exact = np.trunc(np.frombuffer(soft, "<i2") * np.array(gains, np.float32))
    exact = exact + (np.frombuffer(loud, "<i2") if loud else 0)
    heard = np.frombuffer(mix_softly(soft, np.array(gains, np.float32), loud), "<i2")
    assert heard.tolist() == np.clip(exact, -32768, 32767).tolist()


@pytest.mark.parametrize("wrong", [[b"12", b"1234"], [b"123", b"123"], [bytes(4), bytes(2), bytes(4)]])
def test_frames_of_other_lengths_are_not_mixed(wrong):
    with pytest.raises(ValueError, match="of one length"):
        mix(wrong)


@pytest.mark.parametrize("wrong", [[bytearray(4), bytes(4)], [bytes(4), None], 3])
def test_only_bytes_are_mixed(wrong):
    with pytest.raises(TypeError):
        mix(wrong)


@pytest.mark.parametrize("gains", [np.ones(3, np.float32), np.ones(4, np.float64)])
def test_each_sample_has_its_gain(gains):
    with pytest.raises(ValueError, match="gain for each of 4 samples"):
        mix_softly(bytes(8), gains, None)
