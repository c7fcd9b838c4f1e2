"""Without torch the appliance runs as before; who names XTTS is told what to install."""

import sys

import pytest

from appliance.config import Config, ConfigError, parse
from appliance.engines.protocols import EngineError
from appliance.engines.registry import load_synthesizer


def test_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "appliance.engines.xtts", raising=False)
    with pytest.raises(EngineError, match=r"needs torch, which is not installed; run: pip install dragoman\[xtts\]"):
        load_synthesizer("xtts", Config())


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ('precision = "fp8"', 'cloud.xtts.precision: "fp8" is not known; write one of auto, float32'),
        ("streams = 1000", "cloud.xtts.streams: 1000 is out of range; write a number from 0 to 512"),
    ],
)
def test_what_is_wrong_with_its_settings_is_said(setting: str, problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(f"[cloud.xtts]\n{setting}", "appliance.toml")
    assert problem in str(error.value)
