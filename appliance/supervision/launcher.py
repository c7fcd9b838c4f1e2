"""Starts a worker: a fresh interpreter, never a fork, with its sockets handed down and its output caught."""

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from socket import socket

from appliance.environment import worker_environment
from appliance.supervision.process_table import Process
from appliance.supervision.turn import WORD

TABLE = "appliance.supervision.process_table"


class Launcher:
    """Starts all workers of one appliance.

    `sockets`: those that processes own, by name; `table`: the module whose WORKERS they are rows of.
    """

    def __init__(self, config_path: Path, sockets: dict[str, socket], table: str = TABLE) -> None:
        self._config_path = config_path
        self._sockets = sockets
        self._table = table

    def spawn(self, process: Process) -> "Spawned":
        """Start one worker. Raises OSError when the machine has no room for it."""
        return self._spawn(process, subprocess.DEVNULL)

    def spawn_standby(self, process: Process) -> "Spawned":
        """Start one that loads everything and waits for `Spawned.go`. Raises OSError as `spawn` does."""
        return self._spawn(process, subprocess.PIPE, "--standby")

    def _command(self, process: Process) -> list[str]:
        command = [sys.executable, "-u", "-m", "appliance.supervision.worker", process.name]
        command += ["--config", str(self._config_path), "--table", self._table]
        for name in process.owns_sockets:
            command += [f"--{name}-fd", str(self._sockets[name].fileno())]
        return command

    def _spawn(self, process: Process, stdin: int, *more: str) -> "Spawned":
        read_end, write_end = os.pipe()
        try:
            popen = subprocess.Popen(
                [*self._command(process), *more],
                stdin=stdin,
                stdout=write_end,
                stderr=write_end,
                env=worker_environment(),
                pass_fds=[self._sockets[name].fileno() for name in process.owns_sockets],
                # Ctrl-C in the terminal is for the watchdog, which stops workers in order. But no session of its own:
                # Linux shares processors out by session (autogroup), and nice(2) of a standby counts only within one.
                process_group=0,
            )
        except OSError:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        os.set_blocking(read_end, False)
        return Spawned(popen, os.pidfd_open(popen.pid), Output(read_end))


class Output:
    """What a worker prints (a traceback, a stack dump, a library's complaint), line by line."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.ended = False  # nobody can write to it any more
        self._rest = b""

    def lines(self) -> list[str]:
        """The lines that have arrived since the last call; an unfinished one waits for its end."""
        try:
            arrived = os.read(self.descriptor, 1 << 16)  # as much as a pipe holds
        except BlockingIOError:
            arrived = b""
        else:
            self.ended = not arrived
        *lines, self._rest = (self._rest + (b"\n" if self.ended else arrived)).split(b"\n")
        return [line.decode(errors="replace") for line in lines if line.strip()]


@dataclass(frozen=True, slots=True)
class Spawned:
    """A worker that was started; `pidfd` becomes readable when it ends."""

    popen: subprocess.Popen[bytes]
    pidfd: int
    output: Output

    def go(self) -> None:
        """Let a standby begin."""
        assert self.popen.stdin
        with contextlib.suppress(BrokenPipeError):  # it has just died: its end will be noticed
            self.popen.stdin.write(WORD)
            self.popen.stdin.close()

    def close(self) -> None:
        """Give the descriptors back, after the end."""
        if self.popen.stdin and not self.popen.stdin.closed:
            self.popen.stdin.close()
        os.close(self.pidfd)
        os.close(self.output.descriptor)
