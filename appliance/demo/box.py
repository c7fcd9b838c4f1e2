"""A running appliance: `dragoman up` as a child, its log followed as it grows."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import tomli_w

from appliance import clock
from appliance.config import Config
from appliance.demo.child import end, spawn
from appliance.frames.memory import Memory
from appliance.frames.messages import HealthEvent, JournalEntry, LogLine
from appliance.supervision.launcher import TABLE
from appliance.supervision.process_table import WORKERS
from appliance.supervision.vitals import Vitals
from appliance.units import NS_PER_S

READY_S = 60.0
STOP_S = 15.0
LOOK_S = 0.05


class BoxError(Exception):
    """The appliance does not do what it should; the message is one sentence."""


class Box:
    """One appliance with its configuration and log in `directory`. A context manager: ready inside, gone after.

    `table`: the module of the process table.
    """

    def __init__(self, config: Config, directory: Path, table: str = TABLE) -> None:
        # Its own, so that the secret and the certificate of the box that is installed here stay good.
        ops = msgspec.structs.replace(config.ops, access_file=directory / "access.json", tls_folder=directory / "tls")
        self.config = msgspec.structs.replace(config, ops=ops)
        self._table = table
        self.config_path = directory / "appliance.toml"
        self.log_path = directory / "appliance.log"
        self._output_path = directory / "appliance.out"
        self._entries: list[JournalEntry] = []
        self._news = threading.Condition()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Write the configuration and start; returns at once, see `wait_until_ready`."""
        self.config_path.write_text(tomli_w.dumps(msgspec.to_builtins(self.config, str_keys=True, enc_hook=str)))
        self.log_path.write_bytes(b"")
        up = [
            sys.executable,
            "-m",
            "appliance.cli",
            "up",
            "--config",
            str(self.config_path),
            "--log",
            str(self.log_path),
            "--table",
            self._table,
        ]
        self._process = spawn(up, self._output_path)
        threading.Thread(target=self._follow, args=(self._process,), daemon=True, name="appliance log").start()

    def wait_until_ready(self) -> None:
        """Return when every process is warm. Raises BoxError."""
        self.wait_for(lambda entry: isinstance(entry, HealthEvent) and _is_ready(entry, "watchdog"), READY_S)

    def stop(self) -> int:
        """End it in order; returns its exit status."""
        if self._process is None:
            return 0
        end(self._process, STOP_S)
        status = self._process.returncode
        self._process = None
        return status

    def entries(self) -> list[JournalEntry]:
        """What it has written down so far."""
        with self._news:
            return list(self._entries)

    def wait_for(self, wanted: Callable[[JournalEntry], bool], timeout_s: float, after: int = 0) -> JournalEntry:
        """The first entry, from number `after` on, that is `wanted`. Raises BoxError if none comes or the box ends."""

        def found() -> JournalEntry | None:
            return next((entry for entry in self._entries[after:] if wanted(entry)), None)

        deadline_ns = clock.now_ns() + int(timeout_s * NS_PER_S)
        with self._news:
            while (entry := found()) is None:
                if self._process is None or self._process.poll() is not None:
                    raise BoxError(f"the appliance ended: {self._last_words()} (see {self.log_path})")
                if clock.now_ns() > deadline_ns:
                    raise BoxError(f"the appliance did not get there in {timeout_s:.0f} s (see {self.log_path})")
                self._news.wait(LOOK_S)
            return entry

    def process_id(self, name: str) -> int:
        """The process that is `name` at the moment."""
        memory = Memory.attach(self.config.instance)
        try:
            return Vitals(memory.vitals(name)).pid
        finally:
            memory.close()

    def counters(self) -> dict[str, dict[str, int]]:
        """The counters of every worker that are not zero."""
        memory = Memory.attach(self.config.instance)
        try:
            return {worker.name: Vitals(memory.vitals(worker.name)).counters() for worker in WORKERS}
        finally:
            memory.close()

    def kill(self, name: str) -> int:
        """kill -9 one of its processes; returns the pid it had."""
        pid = self.process_id(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def start_again(self) -> None:
        """Start it anew when its watchdog has been killed, as a service manager does; returns at once."""
        assert self._process, "it was started before"
        self._process.wait()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        rest = b""
        with self.log_path.open("rb") as log:
            while True:
                ended = process.poll() is not None
                *lines, rest = (rest + log.read()).split(b"\n")
                if lines:
                    self._take([msgspec.json.decode(line, type=JournalEntry) for line in lines])
                if ended:
                    return
                clock.sleep_s(LOOK_S)

    def _take(self, entries: list[JournalEntry]) -> None:
        with self._news:
            self._entries += entries
            self._news.notify_all()

    def _last_words(self) -> str:
        said = [line for line in self._output_path.read_text(errors="replace").splitlines() if line.strip()]
        said += [entry.text for entry in self._entries if isinstance(entry, LogLine) and entry.level != "info"]
        return said[-1] if said else "it said nothing"


def _is_ready(event: HealthEvent, component: str) -> bool:
    return event.component == component and event.action == "ready"
