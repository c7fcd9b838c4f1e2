"""`dragoman events`: what was decided about processes, links and calls."""

import time
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from appliance.commands.options import ConfigOption
from appliance.config import default_path, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from appliance.ops.client import Client
    from appliance.ops.history import Event

RETRY_S = 1.0


def events(
    config: ConfigOption = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new ones, until Ctrl-C.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line, for programs.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="COUNT", min=1, max=1000, help="The last COUNT.")] = 20,
) -> None:
    """Show health events: when, about what, how it is, and what was done about it; the last 1,000 are kept.

    They come from the process `ops` of the appliance. With --follow, a restart of the appliance is waited for.
    """
    from appliance.ops.client import Client  # noqa: PLC0415

    client = Client(load(config or default_path()).ops)
    known = client.events(limit)
    for event in known:
        _print(event, json)
    if follow:
        with suppress(KeyboardInterrupt):  # the way to leave it
            for event in _new_ones(client, known[-1].id if known else 0):
                _print(event, json)


def _new_ones(client: "Client", after: int) -> "Iterator[Event]":
    """Each event after number `after`, across restarts of the appliance."""
    from appliance.ops.errors import OpsError  # noqa: PLC0415

    reachable = True
    while True:
        try:
            for event in client.follow(after):
                reachable = True
                yield event
                after = event.id
        except OpsError as error:
            if reachable:
                typer.echo(f"{error}; trying again", err=True)
            reachable = False
            time.sleep(RETRY_S)


def _print(event: "Event", json: bool) -> None:
    if json:
        typer.echo(msgspec.json.encode(event))
        return
    clock_time = datetime.fromisoformat(event.ts).astimezone().strftime("%H:%M:%S.%f")[:-3]
    parts = (clock_time, f"{event.component:9}", f"{event.status:22}", event.action, event.session_id)
    typer.echo("  ".join(part for part in parts if part).rstrip())
