"""`dragoman languages`: which languages each combination of engines can interpret."""

from collections.abc import Collection
from typing import Annotated

import msgspec
import typer

from appliance.commands.options import JsonOption
from appliance.engines.languages import bcp47, combinations

EXIT_NONE = 1


class Row(msgspec.Struct, frozen=True):
    """One combination of engines. `directions`: for each language that may be spoken, those it can be heard in."""

    recognizer: str
    translator: str
    synthesizer: str
    directions: dict[str, list[str]]


def languages(
    source: Annotated[str, typer.Option("--from", metavar="LANGUAGE", help="Only what understands this one.")] = "",
    target: Annotated[str, typer.Option("--to", metavar="LANGUAGE", help="Only what speaks this one.")] = "",
    json: JsonOption = False,
) -> None:
    """Show which languages work with which combination of recognizer, translator and synthesizer.

    Exit status 1 when no combination can do what --from and --to ask for.
    """
    rows = rows_for(source.lower(), target.lower())
    if json:
        typer.echo(msgspec.json.encode(rows))
    elif rows:
        _print(rows)
    else:
        typer.echo(f"no combination of engines interprets {source or 'anything'} into {target or 'anything'}", err=True)
    raise typer.Exit(0 if rows else EXIT_NONE)


def rows_for(source: str, target: str) -> list[Row]:
    """Every combination that can interpret from `source` into `target`, with those directions; "": any language.

    A language is served by its whole tag ("en-us") or by its first part ("en").
    """
    rows = []
    for one in combinations():
        directions: dict[str, list[str]] = {}
        for spoken, heard in sorted(one.directions):
            if _serves(spoken, source) and _serves(heard, target):
                directions.setdefault(spoken, []).append(heard)
        if directions:
            rows.append(Row(one.recognizer, one.translator, one.synthesizer, directions))
    return rows


def _serves(tag: str, asked: str) -> bool:
    return asked == "" or tag in (asked, asked.partition("-")[0])


def _print(rows: list[Row]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table("engines", "spoken", "heard", "directions", show_lines=True)
    table.columns[3].justify = "right"
    for row in rows:
        heard = {target for targets in row.directions.values() for target in targets}
        count = sum(map(len, row.directions.values()))
        engines = f"{row.recognizer}\n{row.translator}\n{row.synthesizer}"
        table.add_row(engines, _tags(row.directions), _tags(heard), f"{count:,}")
    Console().print(table)


def _tags(tags: Collection[str]) -> str:
    return " ".join(map(bcp47, sorted(tags)))
