"""`dragoman bench`: what this machine can carry, against its targets."""

from typing import TYPE_CHECKING

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


def _finish(report: "Report", json: bool) -> None:
    from rich.console import Console  # noqa: PLC0415

    if json:
        typer.echo(report.json())
    else:
        report.print(Console())
    raise typer.Exit(report.exit_status)
