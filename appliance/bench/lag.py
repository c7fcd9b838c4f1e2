"""`bench lag`: how far the interpreter trails a speaker, and how well it translates, through the actual processes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from appliance.bench.lag_engines import refuse_impossible
from appliance.bench.lag_lanes import LaneResult, lane_result
from appliance.bench.lag_metrics import LagReport, Quality, evenly_spread_lag_ms, first_audio_ms, lag_report, quality
from appliance.bench.lag_run import Run, interpret
from appliance.bench.lag_speech import Stream
from appliance.bench.lag_whole import translated_whole
from appliance.bench.report import Measurement, Report, Target, at_least, at_most, this_machine
from appliance.config import Config
from appliance.demo.box import BoxError
from appliance.speech.words import word_error_rate

MEAN_LAG_MS = 3_000.0
FIRST_AUDIO_MS = {("en", "pt-br"): 1_300.0}  # Kokoro takes its time; everything else has DEFAULT_FIRST_AUDIO_MS
DEFAULT_FIRST_AUDIO_MS = 900.0
SLOPE_MS_PER_MIN = 30.0
SLOPE_FROM_MIN = 5.0  # a shorter stream has no slope, only chance
WORSE_CHRF = 1.5  # than if it had waited for the end
SHORT_MS = 5_000.0  # utterances to which the target of the first audio applies …
ALONE_MS = 2_000.0  # … because nobody had said anything for so long


@dataclass(frozen=True, slots=True)
class Trial:
    """What is read aloud, by how many people at once, and what it should become.

    transcript: of the source; reference: of the translation (into the only target); both of the whole stream.
    """

    stream: Stream
    source: str
    targets: tuple[str, ...]
    speakers: int = 1
    transcript: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class LaneReport:
    """One lane with its figures."""

    name: str
    target: str
    result: LaneResult
    lag: LagReport


@dataclass(frozen=True, slots=True)
class Outcome:
    """A trial that was run."""

    trial: Trial
    run: Run
    lanes: tuple[LaneReport, ...]
    report: Report


def run(config: Config, trial: Trial, directory: Path, progress: Callable[[str], None] = lambda _: None) -> Outcome:
    """Run a trial; the appliance keeps its files in `directory`. Raises BoxError or EngineError."""
    refuse_impossible(config.engines, trial.source, trial.targets)
    done = interpret(config, trial.stream, trial.source, trial.targets, trial.speakers, directory, progress)
    if not trial.reference:
        return outcome_of(trial, done)
    progress("translating the recordings as a whole, to compare")
    return outcome_of(trial, done, translated_whole(config, trial.stream, trial.source, trial.targets[0]))


def outcome_of(trial: Trial, done: Run, whole: str = "") -> Outcome:
    """The figures of a run. `whole`: the translation, had it waited; "": nobody knows.

    Raises BoxError where a lane was silent.
    """
    lanes = tuple(_lanes(trial, done))
    waited = quality(whole, trial.reference) if whole and trial.reference else None
    measurements = [one for lane in lanes for one in _lane_measurements(trial, lane, waited)]
    measurements += _box_measurements(done)
    targets = [target for lane in lanes for target in _targets(trial, lane, waited)]
    return Outcome(trial, done, lanes, Report(this_machine(), tuple(measurements), tuple(targets)))


def _lanes(trial: Trial, done: Run) -> Iterator[LaneReport]:
    ends_ms = [recording.end_ms for recording in trial.stream.recordings]
    reference_words = len(trial.reference.split()) or None
    for lane in range(len(done.heard)):
        speaker, target = divmod(lane, len(trial.targets))
        language = trial.targets[target]
        name = f"{trial.source} → {language}" + f", speaker {speaker + 1}" * (trial.speakers > 1)
        result = lane_result(done.entries, lane, done.start_ns)
        if not result.heard:
            raise BoxError(f"{name}: nothing was heard; is the recording in {trial.source}, and are its engines there?")
        yield LaneReport(name, language, result, lag_report(result.heard, ends_ms, reference_words))


def _lane_measurements(trial: Trial, lane: LaneReport, waited: Quality | None) -> Iterator[Measurement]:
    lag, result = lane.lag, lane.result
    figures: list[tuple[str, float, str]] = [
        ("lag, mean", lag.mean_lag_ms, "ms"),
        ("lag, p95", lag.p95_lag_ms, "ms"),
        ("lag, mean, words spread over their segments", _spread_lag_ms(result), "ms"),
        ("LAAL", lag.laal_ms, "ms"),
        ("average lagging", lag.average_lagging_ms, "ms"),
        ("lag slope", lag.slope_ms_per_min, "ms/min"),
        ("first audio after an utterance, p50", lag.first_audio_p50_ms, "ms"),
        ("first audio after an utterance, p95", lag.first_audio_p95_ms, "ms"),
        ("last clause after an utterance, p50", lag.last_clause_p50_ms, "ms"),
        ("last clause after an utterance, p95", lag.last_clause_p95_ms, "ms"),
        *((f"{stage}, p50", took_ms, "ms") for stage, took_ms in result.stages_ms.items()),
        ("words heard", lag.words, ""),
        ("clauses", len(result.heard), ""),
        ("audible revisions", result.revisions, ""),
        ("segments not heard", result.unheard, ""),
    ]
    if trial.transcript:
        figures.append(("word error rate", 100 * word_error_rate(trial.transcript, result.source), "%"))
    if trial.reference:
        against = quality(result.translation, trial.reference)
        figures += [("chrF", against.chrf, ""), ("BLEU", against.bleu, "")]
    if waited:
        figures += [("chrF, had it waited", waited.chrf, ""), ("BLEU, had it waited", waited.bleu, "")]
    for name, value, unit in figures:
        yield Measurement(lane.name, name, value, unit)


def _spread_lag_ms(result: LaneResult) -> float:
    return evenly_spread_lag_ms(result.heard, [(segment.start_ms, segment.end_ms) for segment in result.said])


def _box_measurements(done: Run) -> Iterator[Measurement]:
    for process, percent in done.cpu_percent.items():
        yield Measurement(process, "CPU", percent, "% of a core")
        for counter in ("dropped_frames", "dropped_messages", "engine_errors", "underruns"):
            if count := done.counters.get(process, {}).get(counter, 0):
                yield Measurement(process, counter.replace("_", " "), count, "")


def _targets(trial: Trial, lane: LaneReport, waited: Quality | None) -> Iterator[Target]:
    yield at_most(f"{lane.name}: lag, mean", lane.lag.mean_lag_ms, MEAN_LAG_MS, "ms")
    if short := _after_short_utterances_ms(trial.stream, lane.result):
        bound = FIRST_AUDIO_MS.get((trial.source, lane.target), DEFAULT_FIRST_AUDIO_MS)
        yield at_most(f"{lane.name}: first audio after a short utterance, p50", median(short), bound, "ms")
    if trial.stream.minutes >= SLOPE_FROM_MIN:
        yield at_most(f"{lane.name}: lag slope", lane.lag.slope_ms_per_min, SLOPE_MS_PER_MIN, "ms/min")
    if waited:
        chrf = quality(lane.result.translation, trial.reference).chrf
        yield at_least(f"{lane.name}: chrF", chrf, waited.chrf - WORSE_CHRF)
    yield at_most(f"{lane.name}: audible revisions", lane.result.revisions, 0)
    yield at_most(f"{lane.name}: segments not heard", lane.result.unheard, 0)


def _after_short_utterances_ms(stream: Stream, result: LaneResult) -> Sequence[float]:
    """First audio after the utterances that are short, and had silence before them."""
    recordings = stream.recordings
    silence_ms = [float("inf")] + [later.begin_ms - earlier.end_ms for earlier, later in pairwise(recordings)]
    found = first_audio_ms(result.heard, [recording.end_ms for recording in recordings])
    return [
        delay_ms
        for place, delay_ms in found.items()
        if place < len(recordings) and recordings[place].voiced_ms <= SHORT_MS and silence_ms[place] >= ALONE_MS
    ]
