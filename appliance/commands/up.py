"""`dragoman up`: run the appliance in the foreground."""

import importlib
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from appliance.commands.options import ConfigOption
from appliance.config import Config, ConfigError, OpsConfig, default_path, load
from appliance.ops.voices.access import AccessDenied, new_secret
from appliance.supervision.launcher import TABLE
from appliance.supervision.process_table import WATCHDOG
from appliance.tls.names import page_address, speaks_tls


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
            loaded = load(config or default_path())
            _tell_first_visit(loaded)
            _tell_certificate(loaded.ops)
        watchdog.main(config or default_path(), descriptor, table)


def _tell_first_visit(config: Config) -> None:
    """Until the administrator has a password, each start has a secret that sets it. No call waits for this."""
    try:
        secret = new_secret(config.ops.access_file)
    except (AccessDenied, OSError) as error:
        typer.echo(f"nobody can log in to the page of voices: {error}", err=True)
        return
    if secret:
        page = page_address(config.ops)
        typer.echo(f"first visit to {page}: the secret {secret} sets the administrator's password", err=True)


def _tell_certificate(ops: OpsConfig) -> None:
    """A browser cannot know whether a self-signed certificate is the box's: whoever looks at it can, by this."""
    if not speaks_tls(ops):
        return
    # What makes certificates takes a while to load: other commands need not wait for it.
    from appliance.ops.page_tls import certificate_for  # noqa: PLC0415
    from appliance.tls.certificate import TlsError, utc_now  # noqa: PLC0415
    from appliance.tls.machine import names_of_this_machine  # noqa: PLC0415

    try:
        certificate = certificate_for(ops, names_of_this_machine(ops), utc_now())
    except TlsError as error:
        typer.echo(f"nobody elsewhere can open {page_address(ops)}: {error}", err=True)
        return
    if not ops.certificate_file:
        told = f"{page_address(ops)} shows a certificate of its own; its SHA-256 fingerprint is"
        typer.echo(f"{told} {certificate.fingerprint}", err=True)
