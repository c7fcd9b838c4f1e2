"""`dragoman chaos`: a fire drill on the appliance that runs here."""

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from appliance.commands.options import ConfigOption, JsonOption
from appliance.config import Config, default_path, load

if TYPE_CHECKING:
    from appliance.drill.table import Fault, Outcome

EXIT_MISSED = 3
EVENTS = 1_000  # of the past, in which a room that was lost is told
ROOM_LOST = ("gave up a room", "cleared a room")  # what `calls` says of one that did not end as calls end


def chaos(
    config: ConfigOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    json: JsonOption = False,
) -> None:
    """Kill and stop each process of the running appliance, one after another, and show what that has cost.

    No call may be lost by it; people may hear a short gap, or the original for a moment. It takes a minute or two.
    Exit status 3: a bound was missed.
    """
    from appliance.drill import live  # noqa: PLC0415
    from appliance.frames.memory import Memory  # noqa: PLC0415

    settings = load(config or default_path())
    memory = Memory.attach(settings.instance)  # refused at once when nothing runs
    calls = len(live.rooms(memory))
    memory.close()
    faults = live.faults()
    if not yes:
        up = "1 call" if calls == 1 else f"{calls} calls"
        text = f'Break dragoman "{settings.instance}" {len(faults)} times, with {up} up?'
        typer.confirm(text, abort=True, err=True)
    rows = []
    for fault, outcome in live.run(settings.instance, faults, lambda gone: _lost(settings, gone)):
        rows.append((fault, outcome))
        if not json:
            typer.echo(f"{fault.name}: {fault.how}", err=True)
    _show(rows, json)


def _show(rows: "list[tuple[Fault, Outcome]]", json: bool) -> None:
    from appliance.drill.table import lines, misses  # noqa: PLC0415

    holds = not any(misses(fault, outcome) for fault, outcome in rows)
    if json:
        each = [{"fault": fault, "outcome": outcome, "misses": misses(fault, outcome)} for fault, outcome in rows]
        typer.echo(msgspec.json.encode({"holds": holds, "faults": each}))
    else:
        typer.echo("\n".join(lines(rows)))
    raise typer.Exit(0 if holds else EXIT_MISSED)


def _lost(settings: Config, gone: set[str]) -> int:
    """How many of the rooms that are gone did not just end; all of them, if `ops` cannot say."""
    from appliance.ops.client import Client  # noqa: PLC0415
    from appliance.ops.errors import OpsError  # noqa: PLC0415

    if not gone:
        return 0
    try:
        told = Client(settings.ops).events(EVENTS)
    except OpsError:
        return len(gone)
    return len({event.session_id for event in told if event.action.startswith(ROOM_LOST)} & gone)
