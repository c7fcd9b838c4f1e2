"""`dragoman bench`: what this machine can carry, against its targets."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from appliance.commands.options import JsonOption

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


def _finish(report: "Report", json: bool) -> None:
    from rich.console import Console  # noqa: PLC0415

    if json:
        typer.echo(report.json())
    else:
        report.print(Console())
    raise typer.Exit(report.exit_status)
