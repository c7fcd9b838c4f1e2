"""Voices to tell apart: people who were recorded, and what synthesizers say."""

import io
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from recordings import prompt

from appliance.config import Config
from appliance.engines.protocols import Samples
from appliance.engines.registry import load_synthesizer
from appliance.media.resample import resample
from appliance.units import SAMPLE_RATE_HZ

# A folder of WAV files in which one more person speaks, where somebody has one.
MORE_SPEECH = os.environ.get("DRAGOMAN_TEST_SPEECH", "")
# Some of Asterisk's prompts, all read by Allison Smith.
PROMPTS = ("dir-instr", "vm-review", "vm-tempgreeting2", "agent-alreadyon", "demo-enterkeywords", "vm-forwardoptions")
ENGLISH = (
    "The birch canoe slid on the smooth planks, and the box was thrown beside the parked truck.",
    "Good morning, I would like to ask about the invoice that you sent me last week, please.",
)
PORTUGUESE = (
    "Bom dia, eu gostaria de perguntar sobre a fatura que o senhor me mandou na semana passada.",
    "O tempo hoje está muito bom, mas a previsão para o fim de semana fala em chuva forte.",
)


def people() -> Iterator[tuple[str, list[Samples]]]:
    """Recordings at 16 kHz of each person there is."""
    yield "Allison", [prompt(name) for name in PROMPTS]
    if MORE_SPEECH:
        paths = sorted(Path(MORE_SPEECH).glob("*.wav"))[:4]
        yield "somebody else", [_at_16_khz(*soundfile.read(path, dtype="float32")) for path in paths]


def synthesizers() -> Iterator[tuple[str, list[Samples]]]:
    """What each of the synthesizers says that are on this machine."""
    config = Config(cache_dir=Config().cache_dir.expanduser())
    for name, language, texts in (("piper", "en", ENGLISH), ("kokoro", "pt-br", PORTUGUESE)):
        engine = load_synthesizer(name, config)
        said = [list(engine.synthesize(text, language)) for text in texts]
        yield name, [_at_16_khz(np.concatenate([one.samples for one in each]), each[0].rate_hz) for each in said]
    if espeak := shutil.which("espeak-ng"):
        yield "espeak-ng", [_espeak(espeak, text) for text in ENGLISH]


def _espeak(program: str, text: str) -> Samples:
    command = [program, "-v", "en", "--stdin", "--stdout"]
    said = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
    return _at_16_khz(*soundfile.read(io.BytesIO(said.stdout), dtype="float32"))


def _at_16_khz(samples: Samples, rate_hz: int) -> Samples:
    return resample(samples, rate_hz, SAMPLE_RATE_HZ)
