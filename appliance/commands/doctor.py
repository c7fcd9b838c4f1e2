"""`dragoman doctor`: is this machine fit to carry calls?"""

from typing import TYPE_CHECKING

import msgspec
import typer

from appliance.commands.options import ConfigOption, JsonOption
from appliance.config import default_path, load

if TYPE_CHECKING:
    from appliance.doctor.findings import Finding

MARKS = {"ok": ("✓", "green"), "advice": ("!", "yellow"), "fault": ("✗", "red")}


def doctor(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Examine this machine: Asterisk, ports, memory, clocks, permissions, packages, models; each finding with its fix.

    Exit status 1: something must be fixed before calls can work.
    """
    from appliance.doctor.examination import examine  # noqa: PLC0415

    findings = []
    for finding in examine(load(config or default_path())):
        findings.append(finding)
        if not json:
            _print(finding)
    faults = sum(finding.level == "fault" for finding in findings)
    if json:
        typer.echo(msgspec.json.encode({"ok": not faults, "findings": findings}))
    else:
        typer.echo(f"\n{faults} to be fixed." if faults else "\nReady for calls.")
    raise typer.Exit(1 if faults else 0)


def _print(finding: "Finding") -> None:
    mark, colour = MARKS[finding.level]
    typer.echo(f"{typer.style(mark, fg=colour)} {finding.check}: {finding.found}")
    if finding.fix:
        typer.echo(f"    → {finding.fix}")
