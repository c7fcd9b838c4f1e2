"""The prompts of enrolment by telephone, spoken by the embedded voices; `python -m` this module for the calls process.

As a module of its own it reads the configuration as JSON from standard input, and is less urgent than calls.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import soundfile

from appliance.config import Config
from appliance.engines.protocols import EngineError, Samples, Synthesizer
from appliance.engines.registry import load_synthesizer
from appliance.media.resample import resample
from appliance.units import SAMPLE_RATE_HZ
from appliance.voices import phone_prompts
from appliance.voices.phone_prompts import SUFFIX, Spoken

LESS_URGENT = 15  # nice(2)
PEAK = 0.5
PAUSE_S, TONE_S, TONE_HZ, TONE_PEAK = 0.4, 0.15, 800, 0.2


def make(config: Config, progress: Callable[[str, float], None] = lambda _what, _share: None) -> int:
    """Make the prompts that are missing, of the box's languages; how many. Raises EngineError, OSError."""
    folder = config.voices.prompts_folder
    languages = phone_prompts.usable(config.engines.languages)
    wanted = [(each, one) for each in languages for one in phone_prompts.missing(folder, each)]
    engines: dict[str, Synthesizer] = {}
    for number, (language, one) in enumerate(wanted):
        progress(f"{language} {one.key}", number / len(wanted))
        if one.voice not in engines:
            engines = {one.voice: load_synthesizer(one.voice, config)}  # one at a time: they are large
        _write(folder / language / one.file_name, _sound(one, language, engines[one.voice]))
    for language in languages:
        _forget_old(folder / language, language)
    return len(wanted)


def _sound(one: Spoken, language: str, engine: Synthesizer) -> Samples:
    """At 16 kHz, the tone after it where one belongs."""
    parts = list(engine.synthesize(one.text, language))
    spoken = resample(np.concatenate([part.samples for part in parts]), parts[0].rate_hz)
    spoken = spoken * (PEAK / max(float(np.abs(spoken).max()), 1e-6))
    return np.concatenate([spoken, _tone()]) if one.tone else spoken


def _tone() -> Samples:
    pause = np.zeros(int(PAUSE_S * SAMPLE_RATE_HZ), np.float32)
    times_s = np.arange(int(TONE_S * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    fade = np.minimum(1, np.minimum(times_s, times_s[::-1]) / 0.01)
    return np.concatenate([pause, (TONE_PEAK * fade * np.sin(2 * np.pi * TONE_HZ * times_s)).astype(np.float32)])


def _write(path: Path, samples: Samples) -> None:
    """In one piece, for every user to read: Asterisk is another one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    soundfile.write(draft, samples, SAMPLE_RATE_HZ, format="WAV", subtype="PCM_16")
    draft.chmod(0o644)
    draft.replace(path)


def _forget_old(folder: Path, language: str) -> None:
    """Prompts of another text or voice."""
    known = {one.file_name for one in phone_prompts.prompts(language)}
    for path in folder.glob(f"*{SUFFIX}"):
        if path.name not in known:
            path.unlink(missing_ok=True)


def main() -> None:
    """For the calls process."""
    os.nice(LESS_URGENT)
    config = msgspec.json.decode(sys.stdin.buffer.read(), type=Config, dec_hook=lambda kind, text: kind(text))
    try:
        make(config)
    except (EngineError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
