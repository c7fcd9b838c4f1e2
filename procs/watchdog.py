"""The watchdog: owns the shared memory and the media socket, and keeps every other process alive."""

import importlib
import os
from contextlib import closing
from pathlib import Path

from appliance import clock
from appliance.config import load
from appliance.environment import notify_socket, service_watchdog_us
from appliance.frames.memory import Memory
from appliance.log import JsonLines
from appliance.supervision.child import Child
from appliance.supervision.chronicle import Chronicle
from appliance.supervision.journals import Journals
from appliance.supervision.launcher import TABLE, Launcher
from appliance.supervision.notify import Notify
from appliance.supervision.process_table import WATCHDOG, rows, standby_of
from appliance.supervision.sockets import open_media_socket
from appliance.supervision.standbys import Standby, Standbys
from appliance.supervision.supervisor import Supervisor
from appliance.supervision.vitals import Vitals


def main(config_path: Path, log_descriptor: int = 1, table: str = TABLE) -> None:
    """Run the appliance until a signal ends it, with its log as JSON lines on `log_descriptor`.

    Raises ConfigError, MemoryRefused or SocketError when it cannot start; nothing is left behind then.
    """
    config = load(config_path)
    memory = Memory.create(config, rows(config.supervision.standbys))
    try:
        vitals = Vitals(memory.vitals(WATCHDOG.name))
        vitals.begin(clock.now_ns())
        vitals.spawned(os.getpid())
        children = [
            Child(process, Vitals(memory.vitals(process.name))) for process in importlib.import_module(table).WORKERS
        ]
        out = Chronicle(JsonLines(log_descriptor), memory)
        wanted = [
            Standby(child.process, Vitals(memory.vitals(standby_of(child.name))))
            for child in children
            if child.process.standby and child.name in config.supervision.standbys
        ]
        names = [child.name for child in children] + [each.name for each in wanted]
        journals = Journals(memory, names, vitals, out)
        with (
            open_media_socket(config.media) as media,
            closing(Notify(notify_socket(), service_watchdog_us())) as notify,
        ):
            launcher = Launcher(config_path, {"media": media}, table)
            vitals.ready()
            standbys = Standbys(wanted, launcher, out.write, config.supervision.settle_s)
            Supervisor(children, launcher, standbys, vitals, out, journals.drain, notify).run()
    finally:
        memory.unlink()
        memory.close()
