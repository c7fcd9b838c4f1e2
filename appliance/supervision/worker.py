"""The entry of every worker: `python -m appliance.supervision.worker NAME --config PATH [--media-fd N]`."""

import argparse
import faulthandler
import importlib
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from appliance import config
from appliance.frames._ring import die_with_parent
from appliance.frames.memory import Memory
from appliance.plain_errors import is_plain
from appliance.supervision.context import Context
from appliance.supervision.process_table import WATCHDOG, Process
from appliance.supervision.recovery import EXIT_CANNOT_START
from appliance.supervision.turn import Turn
from appliance.supervision.vitals import Vitals


def run(process: Process, config_path: Path, media_fd: int | None, turn: Turn | None = None) -> int:
    """Live as `process`, or as its standby until its `turn`, until told to stop; returns the exit status."""
    settings = config.load(config_path)
    memory = Memory.attach(settings.instance)
    if os.getppid() != Vitals(memory.vitals(WATCHDOG.name)).pid:
        return 0  # the watchdog died before we could ask to die with it
    context = Context(process, settings, memory, media_fd, turn)
    _stop_on_signals(context)
    importlib.import_module(process.module).main(context)
    memory.close()
    return 0


def _stop_on_signals(context: Context) -> None:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        context.stopping = True
        if context.is_waiting or not context.vitals.ready_ns:  # there is nothing to finish
            raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def main() -> None:
    """Parse the command line the launcher wrote, and exit with the status of the process."""
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    die_with_parent(signal.SIGKILL)
    parser = argparse.ArgumentParser(prog="worker")
    parser.add_argument("name")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--media-fd", type=int)
    parser.add_argument("--standby", action="store_true", help="load everything, then wait for a word on stdin")
    parser.add_argument("--table", default="appliance.supervision.process_table", help="the module that has WORKERS")
    options = parser.parse_args()
    process = next(row for row in importlib.import_module(options.table).WORKERS if row.name == options.name)
    try:
        status = run(process, options.config, options.media_fd, Turn() if options.standby else None)
    except Exception as error:
        if not is_plain(error):
            raise
        print(error, file=sys.stderr)  # noqa: T201 - the watchdog reads it into the log
        status = EXIT_CANNOT_START
    sys.exit(status)


if __name__ == "__main__":
    main()
