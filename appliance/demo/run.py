"""`dragoman demo`: make the call, show how it goes, and write down what came of it."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from appliance.config import Config
from appliance.demo.box import BoxError
from appliance.demo.call import InterpretedCall, demo_config
from appliance.demo.hearing import load_heard, transcripts
from appliance.demo.picture import Phone, Track, draw
from appliance.demo.report import (
    CallReport,
    FrameCounts,
    Utterance,
    by_lane,
    heard_share,
    percentiles,
    utterances,
    write,
)
from appliance.demo.say import Turn
from appliance.demo.script import conversation
from appliance.demo.summary import show
from appliance.engines.registry import load_recognizer, load_synthesizer

LISTENER = "whisper-base"  # transcribes what the phones heard: not the engine that understood the English speaker
OTHER = {"en": "pt-br"}  # whom a lone speaker talks to; everybody else talks to English


def run(base: Config, say: Sequence[str], out: Path, console: Console) -> CallReport:
    """Make the call and write report.json, call.png and what each phone heard into `out`.

    Raises SayError, AsteriskError, BoxError, SoftphoneError or EngineError with one sentence.
    """
    turns = conversation(say, base, lambda: load_synthesizer("kokoro", base))
    work = out / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    call = InterpretedCall(demo_config(base, f"demo-{os.getpid()}", _languages(turns)), work)
    problems, frames = _hold(call, turns, console)
    heard = {language: _keep(call, language, out) for language in call.languages}
    with console.status("transcribing what the phones heard …"):
        spoken = _understood(call, heard, base)
    report = _report(call, spoken, frames, problems, out)
    write(report, out / "report.json")
    phones = [Phone(call.phones[language].name, language, call.said(language), heard[language]) for language in heard]
    draw(phones, spoken, out / "call.png")
    show(report, out, console)
    return report


def _languages(turns: Sequence[Turn]) -> tuple[str, str]:
    """The caller's language, who speaks first, and the other's."""
    first, *others = dict.fromkeys(turn.language for turn in turns)
    return first, others[0] if others else OTHER.get(first, "en")


def _hold(call: InterpretedCall, turns: Sequence[Turn], console: Console) -> tuple[list[str], FrameCounts]:
    """Have the conversation; returns what went wrong, and the frames that crossed the box."""
    with console.status("starting Asterisk, the appliance and two phones …"):
        call.start()
    with call:
        call.dial()
        console.print(f"{call.languages[0]} has called {call.languages[1]}")
        problems = [problem for turn in turns if (problem := _take(call, turn, console))]
        frames = _frame_counts(call)
        call.hang_up()
    return problems, frames


def _take(call: InterpretedCall, turn: Turn, console: Console) -> str:
    """One turn of the conversation; returns what went wrong with it."""
    with console.status(f"{turn.language} says {turn.name} ({turn.duration_s:.1f} s) …"):
        try:
            call.interpret(turn)
        except BoxError as error:
            return str(error)
    console.print(f"{turn.language} said {turn.name}")
    return ""


def _frame_counts(call: InterpretedCall) -> FrameCounts:
    counters = call.box.counters()
    media = counters["rtp"]
    dropped = sum(worker.get("dropped_frames", 0) for worker in counters.values())
    return FrameCounts(media.get("uplink_frames", 0), media.get("downlink_frames", 0), dropped)


def _keep(call: InterpretedCall, language: str, out: Path) -> Track:
    """Copy what a phone heard to where people look for it."""
    path = out / f"heard-{language}.wav"
    shutil.copyfile(call.heard(language), path)
    return load_heard(path, call.heard_from_ms(language))


def _understood(call: InterpretedCall, heard: dict[str, Track], config: Config) -> list[Utterance]:
    """All utterances, each with the transcript of what was heard of it."""
    spoken = utterances(call.box.entries(), call.start_ns)
    listener = load_recognizer(LISTENER, config)
    texts: dict[int, str] = {}
    for language, track in heard.items():
        received = [
            number
            for number, each in enumerate(spoken)
            if each.target_language == language and each.first_audio_ms is not None
        ]
        texts |= dict(zip(received, transcripts(track, [spoken[number] for number in received], listener), strict=True))
    return [msgspec.structs.replace(each, heard_text=texts.get(number, "")) for number, each in enumerate(spoken)]


def _report(
    call: InterpretedCall, spoken: list[Utterance], frames: FrameCounts, problems: list[str], out: Path
) -> CallReport:
    if frames.dropped:
        problems.append(f"{frames.dropped} frames were dropped")
    problems += [f'"{each.text}" was never heard' for each in spoken if each.first_audio_ms is None]
    return CallReport(
        ok=not problems,
        problems=problems,
        utterances=spoken,
        chain_latency_ms=percentiles(each.chain_latency_ms for each in spoken),
        chain_latency_by_lane_ms=by_lane(spoken, lambda each: each.chain_latency_ms),
        lag_by_lane_ms=by_lane(spoken, lambda each: each.lag_ms),
        frames=frames,
        heard={language: str(out / f"heard-{language}.wav") for language in call.languages},
        heard_share=heard_share(spoken),
    )
