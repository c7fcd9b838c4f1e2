"""The command `dragoman`: its subcommands, and the one place where an error becomes a sentence and an exit status."""

import sys
import tempfile
import traceback
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from appliance.commands import bench, chaos, config, demo, doctor, events, languages, models, status, up, voices
from appliance.config import ConfigError
from appliance.plain_errors import is_plain

EXIT_FAILED = 1
EXIT_USAGE = 2  # wrong use, or a configuration that cannot be used
EXIT_BUG = 70  # EX_SOFTWARE of sysexits.h

app = typer.Typer(
    name="dragoman",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(up.up)
app.command()(status.status)
app.command()(events.events)
app.command()(demo.demo)
app.command()(doctor.doctor)
app.command()(chaos.chaos)
app.command()(languages.languages)
app.add_typer(config.app, name="config")
app.add_typer(bench.app, name="bench")
app.add_typer(models.app, name="models")
app.add_typer(voices.app, name="voices")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dragoman {metadata.version('dragoman')}")
        raise typer.Exit


@app.callback()
def _dragoman(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Dragoman, an on-premises telephone interpreter: each caller hears the others in their own language."""


def main() -> None:
    """Run the command line. Errors end in one sentence on standard error, never in a traceback."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)  # as shells have it: 128 + SIGINT
    except BrokenPipeError:
        sys.stderr.close()  # the reader has what it wanted; nothing to say, nobody to say it to
        sys.exit(0)
    except Exception as error:
        typer.echo(_sentence(error), err=True)
        sys.exit(_exit_status(error))


def _sentence(error: Exception) -> str:
    if is_plain(error):
        return str(error)
    return f"something unforeseen went wrong ({_first_line(error)}); please report {_trace_file(error)}"


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _trace_file(error: Exception) -> Path:
    with tempfile.NamedTemporaryFile("w", prefix="dragoman-", suffix=".trace", delete=False) as file:
        traceback.print_exception(error, file=file)
    return Path(file.name)


def _exit_status(error: Exception) -> int:
    if isinstance(error, ConfigError):
        return EXIT_USAGE
    return EXIT_FAILED if is_plain(error) else EXIT_BUG


if __name__ == "__main__":
    main()
