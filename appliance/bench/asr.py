"""What recognising several legs in one batch costs, against one alone: windows of real speech, the embedded engines."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np

from appliance.bench.lag_speech import sound_files
from appliance.bench.report import Measurement, Report, at_most, this_machine
from appliance.clock import now_ns
from appliance.config import Config, chain
from appliance.demo.asterisk import asterisk_tree
from appliance.demo.say import load_turn
from appliance.demo.script import PROMPTS, prompt
from appliance.engines.languages import RECOGNIZED, best_match
from appliance.engines.protocols import BatchRecognizer, EngineError, Samples, Window
from appliance.engines.registry import EVERY_OTHER, RECOGNIZERS, load_recognizer
from appliance.units import NS_PER_MS, SAMPLE_RATE_HZ

WINDOW_S = 4.0  # about what a look at somebody who goes on speaking has before it
BATCHES = (1, 2, 4)
MOST_FOR_TWO = 1.4  # times what one costs
LONGEST_S = 3600.0
FULL_SCALE = 32_768


def run(
    config: Config,
    say: Sequence[Path],
    language: str,
    rounds: int = 15,
    progress: Callable[[str], None] = lambda _what: None,
) -> Report:
    """Decode batches of 1, 2 and 4 windows in turn. Raises SayError, EngineError."""
    name, recognizer = _recognizer(config, language)
    progress("warming")
    recognizer.warm()
    windows = [Window(samples, language) for samples in cut(_speech(config, say, language))]
    took_ms: dict[int, list[float]] = {size: [] for size in BATCHES}
    for turn in range(rounds):
        progress(f"round {turn + 1} of {rounds}")
        for size in BATCHES:
            batch = [windows[(turn + place) % len(windows)] for place in range(size)]
            began_ns = now_ns()
            recognizer.decode(batch)
            took_ms[size].append((now_ns() - began_ns) / NS_PER_MS)
    return _report(name, {size: median(took) for size, took in took_ms.items()})


def cut(speech: Samples) -> list[Samples]:
    """Windows of 4 s, one after another; what is left over is left out, and what is shorter is said again."""
    length = int(WINDOW_S * SAMPLE_RATE_HZ)
    enough = np.tile(speech, -(-length // max(1, len(speech))))
    return [enough[start : start + length] for start in range(0, len(enough) - length + 1, length)]


def _recognizer(config: Config, language: str) -> tuple[str, BatchRecognizer]:
    known = config.engines.recognizers
    names = chain(known.get(best_match(known, language) or EVERY_OTHER, ()))
    name = next((name for name in names if name in RECOGNIZERS and best_match(RECOGNIZED[name], language)), None)
    if name is None:
        raise EngineError(f'no embedded recognizer is configured for "{language}"; change engines.recognizers')
    return name, load_recognizer(name, config)


def _speech(config: Config, say: Sequence[Path], language: str) -> Samples:
    if say:
        turns = [load_turn(language, path, LONGEST_S) for path in sound_files(say)]
    else:
        sounds = asterisk_tree(config) / "usr/share/asterisk/sounds/en_US_f_Allison"
        turns = [prompt(sounds / f"{name}.gsm") for name in PROMPTS]
    joined = np.concatenate([turn.samples for turn in turns])
    return joined.astype(np.float32) / np.float32(FULL_SCALE)


def _report(name: str, median_ms: dict[int, float]) -> Report:
    measurements = [
        Measurement(name, f"{size} at once" if size > 1 else "one leg", took_ms, "ms")
        for size, took_ms in median_ms.items()
    ]
    target = at_most("two legs in a batch, against one", median_ms[2] / median_ms[1], MOST_FOR_TWO)
    return Report(this_machine(), tuple(measurements), (target,))
