"""How many conversations this machine can interpret at once: its recognizer and its voice at work side by side.

In a conversation one person speaks at a time, so that it takes one lane at a time: a speaker who is decoded at every
step, and a voice that speaks for as long as the speaker does. Both are measured in processes of their own, at the same
time, as in an appliance: they share the processor. Translating costs a hundredth of either and is left out.
"""

import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np

from appliance.bench.report import Measurement, Report, at_least, this_machine
from appliance.config import AUTO, Config, Names, chain
from appliance.engines.model_files import manifest
from appliance.engines.protocols import EngineError, Samples, Window
from appliance.engines.registry import EVERY_OTHER, RECOGNIZERS, load_recognizer, load_synthesizer
from appliance.media.resample import resample
from appliance.speech.decode_pace import DecodePace
from appliance.units import SAMPLE_RATE_HZ

SLOWEST_STEP_MS = 1_000.0  # a speaker's words are looked at once a second, or they come too late for a conversation
BUSIEST_VOICE = 0.8  # a voice that is busier keeps people waiting
WINDOW_S = 3  # what is decoded at a step: some words are not settled yet
TRIALS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
TRIAL_S = 6.0
START_S = 120.0

# What is read aloud; a voice of another language reads English, which takes it as long.
TEXTS = {
    "en": ("All of our representatives are busy.", "Please stay on the line and your call will be answered soon."),
    "pt": ("Bom dia, eu gostaria de falar com o gerente.", "Muito obrigado, eu vou esperar na linha por enquanto."),
}
_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Load:
    """With so many lanes: how often a speaker's words are looked at, and which part of its time the voice speaks."""

    lanes: int
    step_ms: float
    voice: float

    def fits(self, step_ms: float) -> bool:
        """Whether the machine can carry it, where `step_ms` are wanted."""
        return self.step_ms <= max(step_ms, SLOWEST_STEP_MS) and self.voice <= BUSIEST_VOICE


def run(
    config: Config,
    progress: Callable[[str], None] = lambda _: None,
    trials: Sequence[int] = TRIALS,
    trial_s: float = TRIAL_S,
) -> Report:
    """More and more lanes, until they do not fit; in the languages that take longest. Raises EngineError.

    Each of `trials`, a number of lanes, takes `trial_s` and a little more.
    """
    languages = languages_of(config)
    hearing, speaking = _local(config, languages)
    if not hearing and not speaking:
        raise EngineError("every engine of this configuration runs elsewhere: only max_legs and max_lanes limit it")
    loads: list[Load] = []
    with _worker(_hear, config, hearing) as ear, _worker(_speak, config, speaking) as voice:
        for lanes in trials:
            progress(f"{lanes} at once")
            for worker in (ear, voice):
                worker.send((lanes, trial_s))
            loads.append(Load(lanes, _answer(ear), _answer(voice)))
            if not loads[-1].fits(config.engines.step_ms):
                break
    return _report(loads, config.engines.step_ms)


def most_calls(loads: Sequence[Load], step_ms: float) -> int:
    """The most lanes that fit; 0: not even one."""
    return max((load.lanes for load in loads if load.fits(step_ms)), default=0)


def calls_of(report: Report) -> int:
    """What is to be written into the configuration; one is always tried, for 0 means no limit there."""
    return max(1, round(report.targets[0].value))


def languages_of(config: Config) -> tuple[str, ...]:
    """Those that the routes need; without routes, all that there are voices for."""
    spoken = {tag for route in config.routes for tag in (route.caller_language, route.callee_language)}
    if not spoken or AUTO in spoken:
        spoken |= set(config.engines.languages)
    return tuple(sorted(spoken - {AUTO}))


def _local(config: Config, languages: Sequence[str]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The recognizers and voices that run here, each with a language that it is used for."""
    hearing = {_engine(config.engines.recognizers, tag): tag for tag in languages}
    speaking = {_engine(config.engines.synthesizers, tag): tag for tag in languages}
    return (
        [(name, tag) for name, tag in hearing.items() if name in RECOGNIZERS],
        [(name, tag) for name, tag in speaking.items() if name in manifest()],
    )


def _engine(table: Mapping[str, Names], tag: str) -> str:
    """The first of those that serve `tag`: the others have work only when it fails."""
    names = next((table[key] for key in (tag, tag.partition("-")[0], EVERY_OTHER) if key in table), "")
    return next(iter(chain(names)), "")


def _hear(connection: Connection, config: Config, engines: list[tuple[str, str]]) -> None:
    """For each number of lanes that comes, tell the step in ms at which so many speakers can be decoded."""
    ears = [(load_recognizer(name, config), tag) for name, tag in engines]
    sound = np.random.default_rng(1).normal(0, 0.05, WINDOW_S * SAMPLE_RATE_HZ).astype(np.float32)
    for ear, _ in ears:
        ear.warm()
    speech = {tag: _speech(config, tag, sound) for _, tag in ears}
    connection.send(0.0)
    while True:
        lanes, trial_s = connection.recv()
        steps = [0.0]
        for ear, tag in ears:
            size = min(lanes, ear.most_windows)
            pace, batches = DecodePace(config.engines.step_ms), -(-lanes // size)
            end_s = time.perf_counter() + trial_s / len(ears)
            while time.perf_counter() < end_s:
                began_s = time.perf_counter()
                ear.decode([Window(speech[tag], tag)] * size)
                took_s = time.perf_counter() - began_s
                pace.spent(1000 * took_s)
                time.sleep(max(0.0, pace.step_ms(batches) / 1000 / batches - took_s))
            steps.append(pace.step_ms(batches))
        connection.send(max(steps))


def _speech(config: Config, tag: str, otherwise: Samples) -> Samples:
    """Some seconds of speech in a language, in the box's own voice where it has one."""
    name = _engine(config.engines.synthesizers, tag)
    if name not in manifest():
        return otherwise
    voice = load_synthesizer(name, config)
    pieces = [resample(piece.samples, piece.rate_hz) for text in _texts(tag) for piece in voice.synthesize(text, tag)]
    return np.concatenate(pieces)[: WINDOW_S * SAMPLE_RATE_HZ]


def _speak(connection: Connection, config: Config, engines: list[tuple[str, str]]) -> None:
    """For each number of lanes that comes, tell which part of its time the slowest voice spends on so many."""
    voices = [(load_synthesizer(name, config), tag) for name, tag in engines]
    for voice, _ in voices:
        voice.warm()
    connection.send(0.0)
    while True:
        lanes, trial_s = connection.recv()
        shares = [0.0]
        for voice, tag in voices:
            spent_s = spoken_s = 0.0
            while spent_s < trial_s / len(voices):
                for text in _texts(tag):
                    began_s = time.perf_counter()
                    spoken_s += sum(len(piece.samples) / piece.rate_hz for piece in voice.synthesize(text, tag))
                    spent_s += time.perf_counter() - began_s
            shares.append(lanes * spent_s / spoken_s)
        connection.send(max(shares))


def _texts(tag: str) -> tuple[str, ...]:
    return TEXTS.get(tag.partition("-")[0], TEXTS["en"])


@contextmanager
def _worker(
    work: Callable[[Connection, Config, list[tuple[str, str]]], None], config: Config, engines: list[tuple[str, str]]
) -> Iterator[Connection]:
    """A process that is warm, with the other end of its connection. Raises EngineError if it ends."""
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=work, args=(theirs, config, engines), daemon=True)
    process.start()
    theirs.close()
    try:
        _answer(ours)
        yield ours
    finally:
        process.terminate()
        process.join()


def _answer(worker: Connection) -> float:
    try:
        if worker.poll(START_S):
            return float(worker.recv())
    except EOFError:
        pass
    raise EngineError("an engine has ended or does not answer; dragoman doctor says what is wrong with it")


def _report(loads: Sequence[Load], step_ms: float) -> Report:
    measurements = [
        measurement
        for load in loads
        for measurement in (
            Measurement(f"{load.lanes} at once", "a speaker is decoded every", round(load.step_ms), "ms"),
            Measurement(f"{load.lanes} at once", "the voice is busy for", round(100 * load.voice), "%"),
        )
    ]
    found = most_calls(loads, step_ms)
    return Report(this_machine(), tuple(measurements), (at_least("conversations interpreted at once", found, 1),))
