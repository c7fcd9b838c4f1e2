"""Mixing: the sum, saturated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.media.mixer import mix

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
