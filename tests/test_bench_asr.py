"""What a batch of recognition costs: windows of the right length, and who is asked."""

import numpy as np
import pytest

from appliance.bench import asr
from appliance.config import Config
from appliance.engines.protocols import EngineError


@pytest.mark.parametrize(("seconds", "windows"), [(9.0, 2), (4.0, 1), (1.5, 1)])
def test_speech_is_cut_into_windows_of_four_seconds(seconds, windows):
    cut = asr.cut(np.ones(int(seconds * 16_000), np.float32))
    assert [len(window) for window in cut] == [64_000] * windows


def test_a_language_that_nobody_understands_is_refused():
    with pytest.raises(EngineError, match='configured for "xx"'):
        asr.run(Config(), (), "xx")


def test_the_whole_of_it():
    report = asr.run(Config(), (), "en", rounds=1)
    assert [(each.subject, each.name) for each in report.measurements] == [
        ("whisper-base", "one leg"),
        ("whisper-base", "2 at once"),
        ("whisper-base", "4 at once"),
    ]
    assert all(each.value > 0 for each in report.measurements)
    assert [target.bound for target in report.targets] == [1.4]
