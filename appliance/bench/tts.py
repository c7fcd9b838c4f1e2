"""How fast cloned speech comes: our XTTS v2 against coqui-tts's `inference_stream`, on the same random weights.

The two take turns. On a CPU the targets are shares of what coqui-tts takes in the same run. On a GPU
they are absolute, and beside them is the physical floor: the bytes and operations that cannot be avoided, at the rates
that this device is measured to have.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Literal, cast

import torch

from appliance.bench.report import Measurement, Report, Target, at_least, at_most, this_machine
from appliance.bench.xtts_weights import FULL, SPEAKERS, TINY, make_checkpoint, reference
from appliance.engines.protocols import ClonedVoice, EngineError
from appliance.xtts.checkpoint import load
from appliance.xtts.guards import most_tokens
from appliance.xtts.precision import best_precision
from appliance.xtts.runtime import Runtime
from appliance.xtts.team import team_size

Precision = Literal["float32", "float16", "bfloat16", "int8"]
Tell = Callable[[str], None]

# On random weights a text is spoken to the last token that it may have: this one for 10.0 s.
TEXT = "Bom dia, gostaria de reservar uma mesa para as oito."
SHORT_TEXT = "Bom dia."
LANGUAGE = "pt"
NEVER_ENDS = -1000.0
OURS, COQUI = "dragoman", "coqui-tts"
TOKENS_PER_S = 22_050 / 1024
VOCODER_FLOPS = 58e9  # for a second of speech
DEFAULT_THREADS = 2  # engines.threads
FIRST_TOKENS = 6  # of the first chunk

FIRST_AUDIO_SHARE = 0.25
TOTAL_SHARE = 0.5
GAIN_OF_FOUR = 2.5
GPU_FIRST_AUDIO_MS = {1: 25.0, 64: 40.0}  # p50 by streams
GPU_WORST_FIRST_AUDIO_MS = {256: 120.0}  # p99
GPU_TOKENS_PER_S = 1200.0
GPU_COLD_START_S = 20.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What is measured."""

    device: str
    precision: Precision
    streams: tuple[int, ...]
    rounds: int
    small: bool

    @property
    def text(self) -> str:
        """What is spoken: 10 s, or 3 s to try the benchmark itself."""
        return SHORT_TEXT if self.small else TEXT


@dataclass(frozen=True, slots=True)
class Heard:
    """One utterance as its listener had it: when each piece came, in s after it was asked for, and its length in s."""

    pieces: tuple[tuple[float, float], ...]

    @property
    def first_s(self) -> float:
        """When the first sound came."""
        return self.pieces[0][0]

    @property
    def end_s(self) -> float:
        """When the last sound came."""
        return self.pieces[-1][0]

    @property
    def speech_s(self) -> float:
        """How much of it there is."""
        return sum(length for _, length in self.pieces)

    @property
    def underruns(self) -> int:
        """How often a listener who began at the first sound had nothing to hear."""
        dry_s, times = self.first_s, 0
        for (_, length), (came_s, _next) in pairwise(self.pieces):
            dry_s += length
            if came_s > dry_s:
                times, dry_s = times + 1, came_s
        return times


def trial_of(device: str, precision: str, streams: str, rounds: int, small: bool) -> Trial:
    """What the options of the command mean. Raises EngineError."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise EngineError("this machine has no GPU that torch can use; write --device cpu")
    if precision == "auto":
        precision = best_precision(device.partition(":")[0])
    known = ("float32", "float16", "bfloat16", "int8")
    if precision not in known:
        raise EngineError(f'"{precision}" is no precision; write one of {", ".join(known)}')
    if not streams.replace(",", "").isdigit() or any(not 1 <= int(n) <= 512 for n in streams.split(",") if n):
        raise EngineError(f'"{streams}" says not how many speak at once; write numbers from 1 to 512, like 1,4')
    counts = tuple(sorted({int(number) for number in streams.split(",") if number}))
    return Trial(device, cast(Precision, precision), counts, rounds, small)


def run(trial: Trial, folder: Path, tell: Tell) -> Report:
    """Measure, in `folder`, which takes 2 GB. Raises EngineError."""
    tell("making random weights")
    make_checkpoint(folder, TINY if trial.small else FULL, stop_bias=NEVER_ENDS)
    tell("loading them")
    began = time.perf_counter()
    checkpoint = load(folder)
    voice = checkpoint.speakers[SPEAKERS[0]]
    processors = len(os.sched_getaffinity(0))
    threads = team_size(DEFAULT_THREADS, processors)
    runtime = Runtime(checkpoint, trial.device, trial.precision, slots=max(trial.streams), threads=threads)
    torch.set_num_threads(processors)  # of this thread, for coqui-tts
    try:
        if trial.device != "cpu":
            runtime.measure(voice)
        _listen(runtime, voice, trial.text, 1)
        cold_start_s = time.perf_counter() - began
        counts = [count for count in trial.streams if count <= runtime.most_streams]
        model = reference(folder, trial.device)
        ours: dict[int, list[list[Heard]]] = {count: [] for count in counts}
        theirs = []
        for number in range(1, trial.rounds + 1):
            tell(f"round {number} of {trial.rounds}: coqui-tts")
            theirs.append(_listen_to_coqui(model, voice, trial.text, trial.device))
            for count in counts:
                tell(f"round {number} of {trial.rounds}: {count} at once")
                ours[count].append(_listen(runtime, voice, trial.text, count))
        floors = _floors(trial.device, checkpoint.weights.values(), counts) if trial.device != "cpu" else []
    finally:
        runtime.close()
    measurements = [
        Measurement(OURS, "cold start", cold_start_s, "s"),
        *(one for count in counts for one in _of_ours(count, ours[count])),
        Measurement(COQUI, "first audio, 1 stream", 1000 * median(one.first_s for one in theirs), "ms"),
        Measurement(COQUI, "10 s of speech", median(10 * one.end_s / one.speech_s for one in theirs), "s"),
        *floors,
    ]
    targets = _cpu_targets(ours, theirs) if trial.device == "cpu" else _gpu_targets(ours, cold_start_s)
    return Report(this_machine(), tuple(measurements), tuple(targets))


def _listen(runtime: Runtime, voice: ClonedVoice, text: str, streams: int) -> list[Heard]:
    """Have `text` spoken `streams` times at once."""
    began = time.perf_counter()
    utterances = [runtime.open(voice, text, LANGUAGE) for _ in range(streams)]

    def pieces(utterance: Any) -> Iterator[tuple[float, float]]:
        for samples in utterance:
            yield time.perf_counter() - began, len(samples) / runtime.rate_hz

    with ThreadPoolExecutor(streams) as listeners:
        return list(listeners.map(lambda utterance: Heard(tuple(pieces(utterance))), utterances))


def _listen_to_coqui(model: Any, voice: ClonedVoice, text: str, device: str) -> Heard:
    began = time.perf_counter()
    conditioning = torch.from_numpy(voice.conditioning)[None].to(device)
    embedding = torch.from_numpy(voice.speaker_embedding)[None, :, None].to(device)
    count = most_tokens(text, LANGUAGE)
    chunks = model.inference_stream(text, LANGUAGE, conditioning, embedding, max_new_tokens=count)
    return Heard(tuple((time.perf_counter() - began, len(chunk.cpu()) / 24_000) for chunk in chunks))


def _of_ours(count: int, rounds: Sequence[list[Heard]]) -> Iterator[Measurement]:
    every = [one for each in rounds for one in each]
    name = f"{count} stream{'s' if count > 1 else ''}"
    yield Measurement(OURS, f"first audio, {name}", 1000 * median(one.first_s for one in every), "ms")
    yield Measurement(OURS, f"10 s of speech, {name}", median(10 * one.end_s / one.speech_s for one in every), "s")
    yield Measurement(OURS, f"speech a second, {name}", median(map(_throughput, rounds)), "s")
    yield Measurement(OURS, f"underruns, {name}", sum(one.underruns for one in every), "")


def _throughput(heard: Sequence[Heard]) -> float:
    """Seconds of speech that a second brings, all streams together."""
    return sum(one.speech_s for one in heard) / max(one.end_s for one in heard)


def _cpu_targets(ours: dict[int, list[list[Heard]]], theirs: Sequence[Heard]) -> Iterator[Target]:
    if 1 in ours:
        alone = [one for each in ours[1] for one in each]
        first = median(one.first_s for one in alone) / median(one.first_s for one in theirs)
        total = median(one.end_s / one.speech_s for one in alone) / median(one.end_s / one.speech_s for one in theirs)
        yield at_most(f"first audio, as a share of {COQUI}", first, FIRST_AUDIO_SHARE)
        yield at_most(f"10 s of speech, as a share of {COQUI}", total, TOTAL_SHARE)
    if 1 in ours and 4 in ours:
        gain = median(map(_throughput, ours[4])) / median(map(_throughput, ours[1]))
        yield at_least("speech a second with 4 streams, of that with one", gain, GAIN_OF_FOUR)


def _gpu_targets(ours: dict[int, list[list[Heard]]], cold_start_s: float) -> Iterator[Target]:
    for count, rounds in ours.items():
        first_ms = sorted(1000 * one.first_s for each in rounds for one in each)
        if bound := GPU_FIRST_AUDIO_MS.get(count):
            yield at_most(f"first audio, median, {count} at once", median(first_ms), bound, "ms")
        if bound := GPU_WORST_FIRST_AUDIO_MS.get(count):
            yield at_most(f"first audio, p99, {count} at once", quantiles(first_ms, n=100)[98], bound, "ms")
        underruns = sum(one.underruns for each in rounds for one in each)
        yield at_most(f"underruns, {count} at once", underruns, 0)
    if 1 in ours:
        tokens_per_s = TOKENS_PER_S * median(map(_throughput, ours[1]))
        yield at_least("tokens a second, 1 at once", tokens_per_s, GPU_TOKENS_PER_S)
    yield at_most("cold start", cold_start_s, GPU_COLD_START_S, "s")


def _floors(device: str, weights: Any, streams: Sequence[int]) -> Iterator[Measurement]:
    """What no program can be faster than: each weight is read once a step, and each operation takes its time.

    The rates are what a copy of 1 GB and a product of large float16 matrices reach here; two bytes a weight.
    """
    count = sum(tensor.numel() for tensor in weights)
    bytes_per_s, flops_per_s = _bytes_per_s(device), _flops_per_s(device)
    yield Measurement("floor", "memory", bytes_per_s / 1e9, "GB/s")
    yield Measurement("floor", "arithmetic", flops_per_s / 1e12, "Tflop/s")
    for number in streams:
        step_s = max(2 * count / bytes_per_s, 2 * count * number / flops_per_s)
        sound_s = number * VOCODER_FLOPS * FIRST_TOKENS / TOKENS_PER_S / flops_per_s
        yield Measurement("floor", f"first audio, {number} at once", 1000 * (FIRST_TOKENS * step_s + sound_s), "ms")
    yield Measurement("floor", "tokens a second, 1 at once", bytes_per_s / (2 * count), "")


def _bytes_per_s(device: str) -> float:
    source = torch.zeros(1 << 29, dtype=torch.float16, device=device)
    return float(2 * source.nbytes / _fastest_s(source.clone))


def _flops_per_s(device: str) -> float:
    matrix = torch.ones(8192, 8192, dtype=torch.float16, device=device)
    return float(2 * 8192**3 / _fastest_s(lambda: matrix @ matrix))


def _fastest_s(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(10):
        torch.cuda.synchronize()
        began = time.perf_counter()
        work()
        torch.cuda.synchronize()
        taken.append(time.perf_counter() - began)
    return min(taken)
