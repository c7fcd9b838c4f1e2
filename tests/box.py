"""A whole appliance of toy processes in a folder of its own, started as a user starts it."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from appliance.demo.child import free_ports
from appliance.frames.memory import Memory
from appliance.supervision.vitals import Vitals

PATIENCE_S = 60
TABLE = """
from appliance.supervision.process_table import Process

WORKERS = (
{rows}
)
"""
ROW = "    Process({name!r}, {module!r}, (), (), **{fields!r}),"


class Box:
    """`toys`: process name (of the real table) → name of the toy that plays it."""

    def __init__(self, folder: Path, **toys: str) -> None:
        self.instance = f"test-{uuid.uuid4().hex[:8]}"
        (self.port,) = free_ports(1)
        self.log = folder / "log.jsonl"
        self.config = folder / "appliance.toml"
        self.config.write_text(
            f'instance = "{self.instance}"\n[media]\nport = {self.port}\n[supervision]\nsettle_s = 0\n'
        )
        self.errors = folder / "stderr.txt"
        self._folder = folder
        self.process_fields = {
            "ready_s": 30.0,
            "heartbeat_s": 30.0,
            "busy_s": 30.0,
            "standby": False,
        }  # generous: the machine may be busy
        self.toys = toys
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Box":
        """Write the table and run `dragoman up`."""
        (self._folder / "toy_table.py").write_text(self.table())
        with self.errors.open("ab") as errors:
            self._process = subprocess.Popen(
                self.command("up", "--log", str(self.log), "--table", "toy_table"),
                stderr=errors,
                env=self.environment(),
            )
        return self

    def table(self) -> str:
        """The module that has the process table."""
        rows = "\n".join(
            ROW.format(name=name, module=f"toys.{toy}", fields=self.process_fields | {"needed": name != "ops"})
            for name, toy in self.toys.items()
        )
        return TABLE.format(rows=rows)

    def command(self, *words: str) -> list[str]:
        """`dragoman WORDS` with this box's configuration."""
        return [sys.executable, "-m", "appliance.cli", *words, "--config", str(self.config)]

    def environment(self) -> dict[str, str]:
        """Where the toys and their table are found."""
        others = os.environ.get("PYTHONPATH", "")
        return os.environ | {"PYTHONPATH": f"{Path(__file__).parent}:{self._folder}:{others}".rstrip(":")}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run another command of `dragoman` to its end."""
        return subprocess.run(
            self.command(*words),
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The watchdog."""
        assert self._process
        return self._process

    def entries(self, **wanted: str) -> list[dict[str, Any]]:
        """The entries of the log so far that have all these fields; a value may be only the beginning."""
        lines = self.log.read_text().splitlines(keepends=True) if self.log.exists() else []
        found = [json.loads(line) for line in lines if line.endswith("\n")]
        return [entry for entry in found if all(str(entry.get(key, "")).startswith(wanted[key]) for key in wanted)]

    def wait_for(self, count: int = 1, **wanted: str) -> list[dict[str, Any]]:
        """Wait until the log has `count` such entries."""
        self.until(lambda: len(self.entries(**wanted)) >= count, f"{count} of {wanted}")
        return self.entries(**wanted)

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until `holds`."""
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline, f"waited in vain for {what}; the log:\n{self.log.read_text()}"
            time.sleep(0.02)

    def wait_until_up(self) -> "Box":
        """Wait until all processes are ready."""
        self.wait_for(component="watchdog", status="up")
        return self

    def pids(self) -> dict[str, int]:
        """Process ids by name, from the shared memory."""
        memory = Memory.attach(self.instance)
        try:
            return {name: Vitals(memory.vitals(name)).pid for name in self.toys}
        finally:
            memory.close()

    def children(self) -> set[int]:
        """Process ids of all workers and standbys that live."""
        return {child.pid for child in psutil.Process(self.process.pid).children() if alive(child.pid)}

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal to the watchdog and wait for its end."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def left_behind(self) -> list[str]:
        """Shared memory and semaphores of this instance."""
        return sorted(path.name for path in Path("/dev/shm").glob(f"*dragoman-{self.instance}*"))

    def end(self) -> None:
        """Clean up, however the test has ended."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for name in self.left_behind():
            Path("/dev/shm", name).unlink()


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
