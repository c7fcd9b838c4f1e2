"""`dragoman config`: what the configuration means, and Asterisk's files made from it."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from appliance.commands.options import ConfigOption, JsonOption
from appliance.config import ConfigError, default_path, load

DEBIAN_MODULES = Path("/usr/lib/x86_64-linux-gnu/asterisk/modules")
DEBIAN_DATA = Path("/usr/share/asterisk")
DEBIAN_STATE = Path("/var/lib/asterisk")

app = typer.Typer(no_args_is_help=True, help="Check and explain the configuration, and render Asterisk's from it.")


@app.command()
def check(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Say in words what the configuration means and which memory and ports it needs, or everything that is wrong."""
    from appliance.explanation import Explanation, explain  # noqa: PLC0415

    path = config or default_path()
    try:
        explanation = explain(load(path))
    except ConfigError as error:
        problems = tuple(str(error).splitlines())
        explanation = Explanation((), (), (), voices=(), ports=(), memory_bytes=0, problems=problems)
    if json:
        typer.echo(msgspec.json.encode(explanation))
    elif not explanation.problems:
        typer.echo(f"{path} is good.\n\nWhen somebody dials")
        typer.echo("\n".join(f"  {route}" for route in explanation.routes) or "  (there are no [[routes]] yet)")
        typer.echo("\nWhen all places are taken\n" + "\n".join(f"  {line}" for line in explanation.full_house))
        typer.echo("\nWhat a listener hears\n" + "\n".join(f"  {line}" for line in explanation.hearing))
        typer.echo("\nWhose voice it is\n" + "\n".join(f"  {line}" for line in explanation.voices))
        typer.echo("\nPorts\n" + "\n".join(f"  {port}" for port in explanation.ports))
        typer.echo(f"\nShared memory\n  {explanation.memory_bytes / 1e6:.0f} MB")
    if explanation.problems and not json:
        raise ConfigError("\n".join(explanation.problems))
    raise typer.Exit(2 if explanation.problems else 0)


@app.command()
def render(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write; made if needed.")],
    config: ConfigOption = None,
    modules: Annotated[Path, typer.Option(help="Asterisk's modules (astmoddir).")] = DEBIAN_MODULES,
    data: Annotated[Path, typer.Option(help="Asterisk's sounds and documentation (astdatadir).")] = DEBIAN_DATA,
    state: Annotated[Path, typer.Option(help="Where Asterisk may write.")] = DEBIAN_STATE,
) -> None:
    """Write Asterisk's configuration into DIR. The paths fit the asterisk package of Debian."""
    from appliance.telephony import asterisk_config  # noqa: PLC0415

    settings = load(config or default_path())
    try:
        asterisk_config.render(settings, directory, asterisk_config.Directories(modules, data, state))
    except OSError as error:
        raise ConfigError(f"cannot write into {directory}: {error.strerror}") from None
    typer.echo(f"Asterisk's configuration is in {directory}; start it with: asterisk -C {directory}/asterisk.conf")
