"""`dragoman status`: what the appliance is doing, live."""

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from appliance.commands.options import ConfigOption, JsonOption
from appliance.config import default_path, load

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from appliance.supervision.snapshot import LaneView, ProcessView, RoomView, Snapshot

REFRESH_S = 0.5
RIGHT = ("pid", "heartbeat", "restarts", "waiting", "dropped", "lag")  # numbers
COLOURS = {
    "up": "green",
    "standby": "green",
    "starting": "cyan",
    "late": "yellow",
    "waiting": "yellow",
    "stopping": "cyan",
}


def status(
    config: ConfigOption = None,
    once: Annotated[bool, typer.Option("--once", help="Show it once instead of live.")] = False,
    json: JsonOption = False,
) -> None:
    """Show processes, rooms and legs: state, heartbeat, restarts, queue depths and drops.

    Live until Ctrl-C. With --once or --json it looks once, and exits with status 1 unless every process is up.
    """
    from appliance.frames.memory import Memory  # noqa: PLC0415
    from appliance.supervision import snapshot  # noqa: PLC0415

    instance = load(config or default_path()).instance
    memory = Memory.attach(instance)  # refused at once when nothing runs
    if not (once or json):
        memory.close()
        with suppress(KeyboardInterrupt):  # the way to leave it
            _live(instance)
        return
    seen = snapshot.take(memory)
    if json:
        typer.echo(msgspec.json.encode(seen))
    else:
        from rich.console import Console  # noqa: PLC0415

        Console().print(_picture(seen))
    raise typer.Exit(0 if seen.healthy else 1)


def _live(instance: str) -> None:
    """Attach anew each time: the appliance may be restarted while somebody watches."""
    from rich.live import Live  # noqa: PLC0415

    from appliance.frames.memory import Memory, MemoryRefused  # noqa: PLC0415
    from appliance.supervision import snapshot  # noqa: PLC0415

    with Live(auto_refresh=False, screen=True) as live:
        while True:
            try:
                memory = Memory.attach(instance)
                live.update(_picture(snapshot.take(memory)), refresh=True)
                memory.close()
            except MemoryRefused as refusal:
                live.update(str(refusal), refresh=True)
            time.sleep(REFRESH_S)


def _picture(seen: "Snapshot") -> "RenderableType":
    from rich.console import Group  # noqa: PLC0415

    tables = [_process_table(seen)]
    tables += [_room_table(room) for room in seen.rooms]
    return Group(*tables, "" if seen.rooms else "no calls")


def _table(title: str, *columns: str) -> "Table":
    from rich.table import Table  # noqa: PLC0415

    table = Table(title=title, title_justify="left", title_style="bold", pad_edge=False, box=None)
    for column in columns:
        table.add_column(column, justify="right" if column in RIGHT else "left")
    return table


def _process_table(seen: "Snapshot") -> "Table":
    table = _table(f'dragoman "{seen.instance}"', "process", "state", "pid", "heartbeat", "restarts", "counters")
    for process in seen.processes:
        colour = COLOURS.get(process.state, "red")
        table.add_row(
            process.name,
            f"[{colour}]{process.state.replace('_', ' ')}[/]",
            str(process.pid or "-"),
            _heartbeat(process),
            str(process.restarts),
            "  ".join(f"{name} {value}" for name, value in process.counters.items()),
        )
    return table


def _heartbeat(process: "ProcessView") -> str:
    if process.busy_left_ms is not None:
        return "busy"
    return "-" if process.heartbeat_age_ms is None else f"{process.heartbeat_age_ms:.0f} ms"


def _room_table(room: "RoomView") -> "Table":
    table = _table(f"room {room.name}", "what", "languages", "voice", "there", "waiting", "dropped", "lag")
    for leg in room.legs:
        ring = leg.uplink
        language = f"{leg.language} → {leg.found}" if leg.found else leg.language
        voice = f"{leg.speaker} (by {leg.chosen_by})" if leg.speaker else "stock"
        table.add_row(f"leg {leg.place}", language, voice, _yes(leg.hears), f"{ring.depth} frames", str(ring.dropped))
    for lane in room.lanes:
        ring = lane.downlink
        languages = f"{lane.source_language} → {lane.target_language}"
        waiting, dropped = f"{ring.depth} frames", str(ring.dropped)
        table.add_row(f"lane {lane.place}", languages, "", _yes(lane.speaks), waiting, dropped, _lag(lane))
    return table


def _lag(lane: "LaneView") -> str:
    return "-" if lane.lag_ms is None else f"{lane.lag_ms / 1000:.1f} s"


def _yes(is_there: bool) -> str:
    return "yes" if is_there else "[yellow]not yet[/]"
