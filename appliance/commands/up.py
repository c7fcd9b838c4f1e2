"""`dragoman up`: run the appliance in the foreground."""

import importlib
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from appliance.commands.options import ConfigOption
from appliance.config import Config, ConfigError, default_path, load
from appliance.ops.voices.access import AccessDenied, new_secret
from appliance.supervision.launcher import TABLE
from appliance.supervision.process_table import WATCHDOG


def up(
    config: ConfigOption = None,
    log: Annotated[
        Path | None,
        typer.Option("--log", metavar="FILE", help="Append the log to FILE. Without it: to standard output."),
    ] = None,
    table: Annotated[str, typer.Option(hidden=True, help="The module of the process table, for tests.")] = TABLE,
) -> None:
    """Run the appliance in the foreground, as a service manager does, until Ctrl-C or SIGTERM.

    It starts all processes, keeps them alive and stops them in order; a second Ctrl-C stops them at once. Its log has
    one JSON object a line: every decision about a process, every line of their logs, every translation.
    """
    watchdog = importlib.import_module(WATCHDOG.module)
    with ExitStack() as opened:
        try:
            descriptor = opened.enter_context(log.open("ab", buffering=0)).fileno() if log else sys.stdout.fileno()
        except OSError as error:
            raise ConfigError(f"cannot write the log {log}: {error.strerror}") from None
        if any(process.name == "ops" for process in importlib.import_module(table).WORKERS):
            _tell_first_visit(load(config or default_path()))
        watchdog.main(config or default_path(), descriptor, table)


def _tell_first_visit(config: Config) -> None:
    """Until the administrator has a password, each start has a secret that sets it. No call waits for this."""
    try:
        secret = new_secret(config.ops.access_file)
    except (AccessDenied, OSError) as error:
        typer.echo(f"nobody can log in to the page of voices: {error}", err=True)
        return
    if secret:
        page = f"http://{config.ops.host}:{config.ops.port}/voices"
        typer.echo(f"first visit to {page}: the secret {secret} sets the administrator's password", err=True)
