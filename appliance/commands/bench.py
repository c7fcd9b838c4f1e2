"""`dragoman bench`: what this machine can carry, against its targets."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from appliance.commands.options import ConfigOption, JsonOption
from appliance.config import Config, default_path, load
from appliance.environment import calm_matrices

if TYPE_CHECKING:
    from appliance.bench.report import Report

app = typer.Typer(no_args_is_help=True, help="Measure what this machine can carry. Exit status 3: a target was missed.")


@app.command()
def ring(json: JsonOption = False) -> None:
    """Measure the rings in shared memory against pipes, queues, datagrams and ZeroMQ: CPU per frame, time per hop."""
    from appliance.bench import ring as bench  # noqa: PLC0415

    _finish(bench.run(), json)


@app.command()
def rtp(json: JsonOption = False) -> None:
    """Measure the whole loop of the rtp process, without Asterisk: legs per core, and how late its tick is."""
    from appliance.bench import rtp as bench  # noqa: PLC0415

    _finish(bench.run(), json)


@app.command()
def lag(
    say: Annotated[
        list[Path],
        typer.Option(metavar="FILE", help="A recording, or a folder of them; may be given several times."),
    ],
    source: Annotated[str, typer.Option("--from", metavar="LANGUAGE", help="The language of the recordings.")],
    targets: Annotated[list[str], typer.Option("--to", metavar="LANGUAGE", help="Once for each language.")],
    transcript: Annotated[Path | None, typer.Option(metavar="TXT", help="What the recordings say.")] = None,
    reference: Annotated[Path | None, typer.Option(metavar="TXT", help="A good translation of it.")] = None,
    minutes: Annotated[float, typer.Option(min=0, help="Begin again until it has lasted so long.")] = 0.0,
    pause_s: Annotated[float, typer.Option("--pause", metavar="SECONDS", min=0, help="Between two recordings.")] = 0.3,
    speakers: Annotated[int, typer.Option(min=1, help="How many people read it at once.")] = 1,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the report, a picture, texts and what was heard there.")
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Measure how far the interpreter trails a speaker: real speech at real time, through the actual processes.

    No telephone is needed. With --transcript the word error rate is reported, with --reference chrF and BLEU.
    """
    from rich.console import Console  # noqa: PLC0415

    from appliance.bench import lag as bench  # noqa: PLC0415
    from appliance.bench import lag_files  # noqa: PLC0415

    settings = load(config or default_path()) if config or default_path().exists() else Config()
    trial = lag_files.trial_of(say, source, targets, transcript, reference, minutes, pause_s, speakers)
    with tempfile.TemporaryDirectory(prefix="dragoman-") as work, Console(stderr=True).status("") as line:
        outcome = bench.run(settings, trial, Path(work), line.update)
    if out:
        lag_files.write(outcome, out)
    if outcome.run.disturbance:
        typer.echo(outcome.run.disturbance, err=True)
    _finish(outcome.report, json)


@app.command()
def asr(
    say: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A recording, or a folder of them. Without it: Asterisk's prompts."),
    ] = None,
    language: Annotated[str, typer.Option("--from", metavar="LANGUAGE", help="The language of the recordings.")] = "en",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Measure what recognising several legs at once costs, against one: windows of 4 s, in batches."""
    from rich.console import Console  # noqa: PLC0415

    from appliance.bench import asr as bench  # noqa: PLC0415

    settings = load(config or default_path()) if config or default_path().exists() else Config()
    with Console(stderr=True).status("") as line:
        report = bench.run(settings, say or (), language, progress=line.update)
    _finish(report, json)


@app.command()
def store(
    folder: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A disk to try, with 1.5 GB free. Without it: where temporary files go."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Measure the store of voices with 10,000 of them: a lookup from the disk, from memory, while others write."""
    from appliance.bench import store as bench  # noqa: PLC0415

    _finish(bench.run(folder=folder), json)


@app.command()
def enrol(
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="Recordings of one speaker, WAV or FLAC.")],
    minutes: Annotated[float, typer.Option(min=0.5, max=10, help="Begin again until there is so much of it.")] = 4.0,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Measure how long the enrolment of a voice takes, stage by stage. Nothing is kept of it."""
    calm_matrices()
    from rich.console import Console  # noqa: PLC0415

    from appliance.bench import enrol as bench  # noqa: PLC0415

    settings = load(config or default_path()) if config or default_path().exists() else Config()
    with Console(stderr=True).status("") as line:
        voices = settings.voices
        place = settings.cache_dir.expanduser(), voices.ecapa_folder, voices.gst_folder
        report = bench.run(files, *place, minutes * 60, line.update)
    _finish(report, json)


@app.command()
def soak(
    minutes: Annotated[float, typer.Option(min=1, help="For so long.")] = 30.0,
    calls: Annotated[int, typer.Option(min=1, max=32, help="So many at once.")] = 8,
    json: JsonOption = False,
) -> None:
    """Let real calls come and go for a long time, and see whether memory or lag grow.

    Starts a private Asterisk, an appliance and two softphones for each call; nothing leaves the machine.
    """
    from rich.console import Console  # noqa: PLC0415

    from appliance.bench import soak as bench  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="dragoman-") as work, Console(stderr=True).status("") as line:
        report = bench.run(Config(), Path(work), minutes, calls, line.update)
    _finish(report, json)


@app.command()
def tts(
    engine: Annotated[str, typer.Option(metavar="NAME", help="Only xtts can be measured so.")] = "xtts",
    device: Annotated[str, typer.Option(metavar="DEVICE", help="cpu, cuda; auto: a GPU where there is one.")] = "auto",
    precision: Annotated[str, typer.Option(help="float32, bfloat16, float16, int8; auto: by the device.")] = "auto",
    streams: Annotated[str, typer.Option(metavar="N,M…", help="How many speak at once, one figure each.")] = "1,4",
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured; the median counts.")] = 3,
    small: Annotated[bool, typer.Option("--small", help="A tiny model, to try the benchmark itself.")] = False,
    json: JsonOption = False,
) -> None:
    """Measure cloned speech, on random weights of the published size, against coqui-tts on the same weights.

    It takes 7 GB of memory, 2 GB where temporary files go, and some minutes on a CPU.
    """
    from rich.console import Console  # noqa: PLC0415

    from appliance.engines.protocols import EngineError  # noqa: PLC0415

    if engine != "xtts":
        raise typer.BadParameter(f'"{engine}" cannot be measured; write xtts', param_hint="--engine")
    try:
        from appliance.bench import tts as bench  # noqa: PLC0415
    except ImportError as error:
        raise EngineError(f"the package {error.name} is not installed; see docs/xtts.md") from None
    trial = bench.trial_of(device, precision, streams, rounds, small)
    with tempfile.TemporaryDirectory(prefix="dragoman-") as work, Console(stderr=True).status("") as line:
        report = bench.run(trial, Path(work), line.update)
    _finish(report, json)


@app.command()
def capacity(
    write: Annotated[bool, typer.Option("--write", help="Write the line into the configuration.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Measure how many conversations this machine can interpret at once; the appliance refuses the next one then.

    Nothing else should run meanwhile: no appliance, above all.
    """
    from rich.console import Console  # noqa: PLC0415

    from appliance.bench import capacity as bench  # noqa: PLC0415
    from appliance.bench import capacity_file  # noqa: PLC0415

    path = config or default_path()
    settings = load(path) if config or path.exists() else Config()
    with Console(stderr=True).status("") as line:
        report = bench.run(settings, line.update)
    calls = bench.calls_of(report)
    if write:
        capacity_file.write(path, calls)
    typer.echo(f"[capacity]\nmost_calls = {calls}" + (f"   # now in {path}" if write else ""), err=json)
    _finish(report, json)


def _finish(report: "Report", json: bool) -> None:
    from rich.console import Console  # noqa: PLC0415

    if json:
        typer.echo(report.json())
    else:
        report.print(Console())
    raise typer.Exit(report.exit_status)
