"""`dragoman models`: the models of this box; and getting, proving, converting and accepting XTTS v2."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from appliance.commands.options import ConfigOption, JsonOption
from appliance.config import Config, default_path, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import TaskID

    from appliance.xtts.download import Progress

EXIT_WRONG = 1
XTTS = "xtts"
PURPOSE = "speaks in somebody's own voice"

app = typer.Typer(no_args_is_help=True, help="The models of this box, and the licence of the one that clones voices.")


class Row(msgspec.Struct, frozen=True):
    """One model. `state`: "ready", "missing"; of XTTS v2 also "not accepted"."""

    name: str
    purpose: str
    licence: str
    folder: str
    state: str
    accepted_by: str = ""
    accepted_at: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """Whether one model is what it should be; `problem` is a sentence, or empty."""

    name: str
    folder: str
    files: int
    problem: str = ""


@app.command("list")
def list_models(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show every model: what it does, its licence, whether it is there and, where that has to be, accepted."""
    from appliance.engines.model_files import folder_of, manifest  # noqa: PLC0415

    settings = _settings(config)
    rows = []
    for model in manifest().values():
        folder = folder_of(model, settings.cache_dir.expanduser())
        there = all((folder / file.name).exists() for file in model.files)
        rows.append(Row(model.name, model.purpose, model.licence, str(folder), "ready" if there else "missing"))
    rows.append(_xtts_row(settings))
    if json:
        typer.echo(msgspec.json.encode(rows))
    else:
        _print(rows)


@app.command()
def verify(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Prove by SHA-256 that every model file is the right one. Exit status 1: one is not.

    XTTS v2 is left out where it is not installed.
    """
    from appliance.engines.model_files import folder_of, manifest, verified_folder  # noqa: PLC0415
    from appliance.engines.protocols import EngineError  # noqa: PLC0415
    from appliance.xtts.folder import prove  # noqa: PLC0415

    settings = _settings(config)
    cache = settings.cache_dir.expanduser()
    verdicts = []
    for model in manifest().values():
        try:
            verdicts.append(Verdict(model.name, str(verified_folder(model, cache)), len(model.files)))
        except EngineError as error:
            verdicts.append(Verdict(model.name, str(folder_of(model, cache)), 0, str(error)))
    if (folder := settings.cloud.xtts.folder.expanduser()).exists():
        try:
            proven = len(prove(folder))
            unlisted = "" if proven else f"no SHA256SUMS in {folder} says what its files should be; make it, or convert"
            verdicts.append(Verdict(XTTS, str(folder), proven, unlisted))
        except EngineError as error:
            verdicts.append(Verdict(XTTS, str(folder), 0, str(error)))
    if json:
        typer.echo(msgspec.json.encode(verdicts))
    else:
        for one in verdicts:
            typer.echo(f"{one.name}: {one.problem or f'{one.files} files proven, in {one.folder}'}")
    raise typer.Exit(EXIT_WRONG if any(one.problem for one in verdicts) else 0)


@app.command()
def fetch(
    source: Annotated[
        str, typer.Option("--from", metavar="URL", help="The folder's address. Without it: cloud.xtts.source.")
    ] = "",
    sums: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The list of SHA-256 sums. Without it: SHA256SUMS at that address."),
    ] = None,
    to: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to. Without it: cloud.xtts.folder.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Get the files of XTTS v2 from an address of yours, or go on with it. Its licence has to be accepted first."""
    from appliance.engines.protocols import EngineRefused  # noqa: PLC0415
    from appliance.xtts import download  # noqa: PLC0415
    from appliance.xtts.acceptance import require_acceptance  # noqa: PLC0415

    chosen = _settings(config).cloud.xtts
    base, folder = source or chosen.source, (to or chosen.folder).expanduser()
    if not base:
        raise EngineRefused("nobody has said where XTTS v2 is; give its address with --from, or as cloud.xtts.source")
    wanted = download.wanted_sums(base, sums)
    download.fetch_licence(base, folder, wanted)
    require_acceptance(folder, chosen.acceptance_file.expanduser())
    _with_bars(lambda progress: download.fetch(base, folder, wanted, progress))
    _done(json, f"{len(wanted)} files are in {folder}, each the listed one", folder=str(folder), files=sorted(wanted))


@app.command()
def convert(
    published: Annotated[Path, typer.Argument(metavar="DIR", help="The folder with model.pth.")],
    to: Annotated[Path | None, typer.Option(metavar="DIR", help="A new folder. Without it: cloud.xtts.folder.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Write XTTS v2, as it is published, into a folder without pickles, with the list of its SHA-256 sums."""
    from rich.console import Console  # noqa: PLC0415

    from appliance.engines.protocols import EngineError  # noqa: PLC0415

    target = (to or _settings(config).cloud.xtts.folder).expanduser()
    try:
        from appliance.xtts.conversion import convert as run  # noqa: PLC0415
    except ImportError as error:
        raise EngineError(
            f"the package {error.name} is not installed, and reading the published model takes it; see docs/xtts.md"
        ) from None
    with Console(stderr=True).status("") as line:
        run(published, target, line.update)
    _done(json, f"the model is in {target}, without pickles", folder=str(target))


@app.command()
def accept(
    by: Annotated[str, typer.Option(metavar="NAME", help="Who accepts it, for the record.")],
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The model's. Without it: cloud.xtts.folder.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Accept the licence of XTTS v2's weights, LICENSE.txt in the model's folder. It is kept who did, and when."""
    from appliance.xtts import acceptance  # noqa: PLC0415

    chosen = _settings(config).cloud.xtts
    file = chosen.acceptance_file.expanduser()
    text = acceptance.licence_text((folder or chosen.folder).expanduser())
    typer.echo(f"{acceptance.LICENCE_NAME}; the text, which is that of the model's publisher: {text.path}", err=True)
    if not yes:
        typer.confirm("Have you read it, and do you accept it?", abort=True, err=True)
    one = acceptance.accept(text, by, datetime.now(UTC), file)
    _done(json, f"{one.by} has accepted it; that is recorded in {file}", **msgspec.to_builtins(one), record=str(file))


def _settings(config: Path | None) -> Config:
    return load(config or default_path()) if config or default_path().exists() else Config()


def _xtts_row(settings: Config) -> Row:
    from appliance.engines.protocols import EngineRefused  # noqa: PLC0415
    from appliance.xtts.acceptance import LICENCE_NAME, acceptance_of, licence_text  # noqa: PLC0415
    from appliance.xtts.folder import files_of  # noqa: PLC0415

    chosen = settings.cloud.xtts
    folder = chosen.folder.expanduser()
    there = all((folder / name).exists() for name in files_of(folder))
    try:
        text = licence_text(folder)
    except EngineRefused:
        return Row(XTTS, PURPOSE, LICENCE_NAME, str(folder), "not accepted" if there else "missing")
    one = acceptance_of(text, chosen.acceptance_file.expanduser())
    state = "missing" if not there else "ready" if one else "not accepted"
    by, at = (one.by, one.at.isoformat()) if one else ("", "")
    return Row(XTTS, PURPOSE, LICENCE_NAME, str(folder), state, by, at)


def _print(rows: list[Row]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table("model", "purpose", "licence", "state")
    for row in rows:
        state = f"{row.state}\naccepted by {row.accepted_by}, {row.accepted_at[:10]}" if row.accepted_by else row.state
        table.add_row(row.name, row.purpose, row.licence, state)
    Console().print(table)


def _with_bars(work: "Callable[[Progress], None]") -> None:
    """Do `work` with a bar for each file on standard error."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bars  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def show(name: str, here: int, whole: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name)
            bars.update(tasks[name], completed=here, total=whole or None)

        work(show)


def _done(json: bool, sentence: str, **facts: object) -> None:
    typer.echo(msgspec.json.encode(facts) if json else sentence)
