"""`dragoman demo`: a real call between two softphones on this machine, interpreted both ways."""

from pathlib import Path
from typing import Annotated

import typer

from appliance.commands.options import JsonOption

EXIT_NOT_INTERPRETED = 1


def demo(
    say: Annotated[
        list[str] | None,
        typer.Option(
            help="LANGUAGE:FILE, once for each turn of the conversation; any WAV, FLAC or Ogg file. "
            "Without it, Asterisk's own recorded prompts talk to a Portuguese caller."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for report.json, call.png and what each phone heard.")] = Path(
        "demo-out"
    ),
    json: JsonOption = False,
) -> None:
    """Make a real telephone call on this machine and interpret it both ways.

    Starts a private Asterisk, the appliance and two softphones; nothing leaves the machine, nothing stays running.
    """
    from rich.console import Console  # noqa: PLC0415

    from appliance.config import Config  # noqa: PLC0415
    from appliance.demo.run import run  # noqa: PLC0415

    report = run(Config(), say or [], out, Console(stderr=json))
    if json:
        typer.echo((out / "report.json").read_text())
    raise typer.Exit(0 if report.ok else EXIT_NOT_INTERPRETED)
