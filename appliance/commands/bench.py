"""`dragoman bench`: what this machine can carry, against its targets."""

from typing import TYPE_CHECKING

import msgspec
import typer

from appliance.commands.options import JsonOption

if TYPE_CHECKING:
    from appliance.bench.report import Report

EXIT_TARGET_MISSED = 3

app = typer.Typer(no_args_is_help=True, help="Measure what this machine can carry. Exit status 3: a target was missed.")


@app.command()
def ring(json: JsonOption = False) -> None:
    """The rings in shared memory against pipes, queues, datagrams and ZeroMQ: CPU per frame and time per hop."""
    from appliance.bench import ring as bench  # noqa: PLC0415

    _finish(bench.run(), json)


@app.command()
def rtp(json: JsonOption = False) -> None:
    """The whole loop of the rtp process, without Asterisk: legs per core, and how late its tick is."""
    from appliance.bench import rtp as bench  # noqa: PLC0415

    _finish(bench.run(), json)


def _finish(report: "Report", json: bool) -> None:
    typer.echo(msgspec.json.encode(report) if json else str(report))
    raise typer.Exit(0 if all(target.holds for target in report.targets) else EXIT_TARGET_MISSED)
