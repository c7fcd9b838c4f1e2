"""`bench lag`: its figures from runs with known answers, and a run through the actual processes."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from appliance.bench.lag import Trial, outcome_of
from appliance.bench.lag_engines import refuse_impossible
from appliance.bench.lag_files import trial_of, write
from appliance.bench.lag_run import OTHERS, PROCESSES, Run
from appliance.bench.lag_speech import Recording, Stream, stream_of
from appliance.bench.lag_whole import translated_whole
from appliance.config import Config, EnginesConfig
from appliance.demo.box import BoxError
from appliance.demo.say import SayError
from appliance.engines.protocols import EngineError
from appliance.engines.registry import load_synthesizer
from appliance.frames.messages import FirstAudio, JournalEntry, Segment, Spoken, Translation
from appliance.speech.words import shared_words

QUIET = np.zeros(160, np.int16)


def stream(*voiced_ms: tuple[float, float], minutes: float = 0.5) -> Stream:
    recordings = tuple(Recording(f"{begin}.wav", QUIET, begin, end) for begin, end in voiced_ms)
    return Stream(np.zeros(round(minutes * 60 * 16_000), np.int16), recordings)


def utterance(seq_num: int, begin_ms: float, end_ms: float, sent_ms: float) -> list[JournalEntry]:
    """One that was heard in one clause of a second."""
    begin, end, sent = (round(instant * 1e6) for instant in (begin_ms, end_ms, sent_ms))
    source = Segment(0, 1, seq_num, 0, True, begin, end, "en", "one two", 50.0)
    return [
        Translation(0, seq_num, 0, True, source, "pt-br", "um dois", 9.0),
        Spoken(0, seq_num, 0, "um dois", begin, end, 90.0, 150.0, 50),
        FirstAudio(0, seq_num, 0, sent, sent - end),
    ]


def run(*entries: list[JournalEntry]) -> Run:
    nothing: dict[str, dict[str, int]] = {name: {} for name in PROCESSES}
    return Run(
        entries=[entry for some in entries for entry in some],
        start_ns=0,
        cpu_percent=dict.fromkeys(PROCESSES, 12.5),
        counters=nothing | {"rtp": {"underruns": 3}},
        heard=[QUIET],
    )


def test_a_lanes_figures_are_reported_with_the_processes() -> None:
    trial = Trial(stream((1_000, 2_000)), "en", ("pt-br",), transcript="one too", reference="um dois")
    report = outcome_of(trial, run(utterance(1, 1_000, 2_000, 2_800))).report
    values = {(one.subject, one.name): one.value for one in report.measurements}
    assert values["en → pt-br", "first audio after an utterance, p50"] == pytest.approx(800)
    assert values["en → pt-br", "lag, mean"] == pytest.approx(1_737.5)  # 1800 for the first word, 1675 for the second
    assert values["en → pt-br", "word error rate"] == 50
    assert values["en → pt-br", "chrF"] == pytest.approx(100)
    assert values["tts", "CPU"] == 12.5
    assert values["rtp", "underruns"] == 3
    assert report.exit_status == 0


def test_a_run_that_was_disturbed_says_so() -> None:
    quiet = run(utterance(1, 1_000, 2_000, 2_800))
    assert quiet.disturbance == ""
    assert "took 80 % of a core" in replace(quiet, cpu_percent={OTHERS: 80.0}).disturbance


def bounds(trial: Trial, done: Run, whole: str = "") -> dict[str, tuple[float, bool]]:
    targets = outcome_of(trial, done, whole).report.targets
    return {target.name.partition(": ")[2]: (target.bound, target.holds) for target in targets}


def test_only_a_short_utterance_after_silence_has_a_target_for_its_first_audio() -> None:
    name = "first audio after a short utterance, p50"
    short = run(utterance(1, 1_000, 2_000, 3_200), utterance(2, 5_000, 6_000, 7_200))
    alone = stream((1_000, 2_000), (5_000, 6_000))
    assert bounds(Trial(alone, "en", ("pt-br",)), short)[name] == (1_300, True)
    assert bounds(Trial(alone, "en", ("de",)), short)[name] == (900, False)
    long = run(utterance(1, 1_000, 9_000, 9_500), utterance(2, 9_300, 9_600, 11_000))
    assert name not in bounds(Trial(stream((1_000, 9_000), (9_300, 9_600)), "en", ("pt-br",)), long)


def test_a_slope_has_a_target_in_a_long_stream_only() -> None:
    done = run(utterance(1, 1_000, 2_000, 2_800), utterance(2, 200_000, 201_000, 209_000))
    places = ((1_000, 2_000), (200_000, 201_000))
    assert "lag slope" not in bounds(Trial(stream(*places, minutes=4), "en", ("pt-br",)), done)
    assert bounds(Trial(stream(*places, minutes=5), "en", ("pt-br",)), done)["lag slope"] == (30, False)


def test_the_translation_must_be_about_as_good_as_if_it_had_waited() -> None:
    done = run(utterance(1, 1_000, 2_000, 2_800))
    places = stream((1_000, 2_000))
    trial = Trial(places, "en", ("pt-br",), reference="um dois")
    assert "chrF" not in bounds(trial, done)
    assert "chrF" not in bounds(Trial(places, "en", ("pt-br",)), done, "um dois")
    assert bounds(trial, done, "um dois")["chrF"][1]
    better = Trial(places, "en", ("pt-br",), reference="um dois e depois três")
    assert not bounds(better, done, "um dois e depois três")["chrF"][1]


def test_what_was_not_heard_misses_a_target() -> None:
    unheard = utterance(2, 5_000, 6_000, 7_000)[:2]
    trial = Trial(stream((1_000, 2_000), (5_000, 6_000)), "en", ("pt-br",))
    assert bounds(trial, run(utterance(1, 1_000, 2_000, 2_800), unheard))["segments not heard"] == (0, False)


def test_a_silent_lane_is_said_in_one_sentence() -> None:
    with pytest.raises(BoxError, match="en → pt-br: nothing was heard"):
        outcome_of(Trial(stream((0, 1)), "en", ("pt-br",)), run())


def test_an_outcome_is_left_in_a_folder(tmp_path: Path) -> None:
    trial = Trial(stream((1_000, 2_000)), "en", ("pt-br",))
    write(outcome_of(trial, run(utterance(1, 1_000, 2_000, 2_800))), tmp_path / "made")
    left = {path.name for path in (tmp_path / "made").iterdir()}
    assert {"report.json", "journal.jsonl", "heard-en-pt-br.wav", "lag-en-pt-br.png", "pieces-en-pt-br.tsv"} <= left
    assert (tmp_path / "made/lag-en-pt-br.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "made/translated-en-pt-br.txt").read_text() == "um dois\n"
    [_, piece] = (tmp_path / "made/pieces-en-pt-br.tsv").read_text().splitlines()
    assert piece.split("\t") == ["1.00", "2.00", "2.80", "3.80", "800", "um dois"]


@pytest.mark.parametrize(
    ("engines", "source", "target", "why"),
    [
        (EnginesConfig(recognizers={"en": "whisper-tiny-en"}), "de", "en", 'no recognizer .* understands "de"'),
        (EnginesConfig(recognizers={"*": "whisper-tiny-en"}), "de", "en", 'no recognizer .* understands "de"'),
        (EnginesConfig(), "en", "tlh", 'no synthesizer .* speaks "tlh"'),
        (EnginesConfig(), "de", "en", 'bergamot does not translate from "de" into "en"'),
    ],
)
def test_what_no_engine_can_do_is_refused_at_once(engines: EnginesConfig, source: str, target: str, why: str) -> None:
    with pytest.raises(EngineError, match=why):
        refuse_impossible(engines, source, [target])
    refuse_impossible(EnginesConfig(), "en-us", ["pt-br"])
    refuse_impossible(EnginesConfig(), "auto", ["pt-br", "en"])


@pytest.fixture(scope="module")
def sentence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short English recording."""
    path = tmp_path_factory.mktemp("said") / "hello.wav"
    [speech, *more] = load_synthesizer("piper", Config()).synthesize("Good morning, I would like a room.", "en")
    samples = np.concatenate([piece.samples for piece in (speech, *more)])
    soundfile.write(path, samples, speech.rate_hz)
    return path


def test_a_text_that_fits_nothing_is_refused(sentence: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("bom dia")
    with pytest.raises(SayError, match="give --to once"):
        trial_of([sentence], "en", ["pt-br", "de"], None, text, 0, 0.3, 1)
    with pytest.raises(SayError, match="cannot be read"):
        trial_of([sentence], "en", ["pt-br"], tmp_path / "none.txt", None, 0, 0.3, 1)


def test_texts_are_repeated_with_the_recordings(sentence: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("good\nmorning\n")
    trial = trial_of([sentence], "EN", ["pt-BR"], text, None, minutes=0.1, pause_s=0.3, speakers=1)
    assert trial.transcript == " ".join(["good morning"] * len(trial.stream.recordings))
    assert len(trial.stream.recordings) > 1
    assert (trial.source, trial.targets, trial.reference) == ("en", ("pt-br",), "")


def test_the_same_engines_translate_what_they_may_hear_to_its_end(sentence: Path) -> None:
    once = stream_of([sentence], "en", 0.3)
    text = translated_whole(Config(), once, "en", "pt-br")
    assert shared_words("bom dia eu gostaria de um quarto", text) > 0.6
    twice = stream_of([sentence], "en", 0.3, minutes=once.minutes + 0.01)
    assert translated_whole(Config(), twice, "en", "pt-br") == f"{text} {text}"


@pytest.mark.parametrize(("recognizer", "length_ms"), [("whisper-tiny-en", 29_000), ("deepgram-nova", 1_000)])
def test_what_cannot_be_heard_whole_has_nothing_to_compare_with(recognizer: str, length_ms: float) -> None:
    config = Config(engines=EnginesConfig(recognizers={"en": recognizer}))
    assert translated_whole(config, stream((0, length_ms)), "en", "pt-br") == ""


def test_speech_goes_through_the_actual_processes(sentence: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "appliance.cli", "bench", "lag", "--say", str(sentence), "--from", "en"]
    command += ["--to", "pt-br", "--json", "--out", str(tmp_path), "--config", str(tmp_path / "appliance.toml")]
    (tmp_path / "appliance.toml").write_text('[media]\nunder_talk_db = "off"\n')
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode in (0, 3), f"{done.stdout}\n{done.stderr}"
    report = json.loads(done.stdout)
    targets = {target["name"]: target["holds"] for target in report["targets"]}
    assert targets["en → pt-br: audible revisions"]
    assert targets["en → pt-br: segments not heard"]
    assert json.loads((tmp_path / "report.json").read_text()) == report
    assert shared_words("good morning I would like a room", (tmp_path / "understood-en-pt-br.txt").read_text()) > 0.7

    # What the journal says was sent is what arrived: sound begins where the first clause does.
    first_ms = 1_000 * float((tmp_path / "pieces-en-pt-br.tsv").read_text().splitlines()[1].split("\t")[2])
    heard, rate_hz = soundfile.read(tmp_path / "heard-en-pt-br.wav")
    loud_ms = np.flatnonzero(np.abs(heard) > 0.02) * 1_000 / rate_hz
    assert abs(loud_ms[0] - first_ms) < 250  # a voice may begin softly
