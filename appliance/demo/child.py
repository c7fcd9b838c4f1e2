"""Programs that the demo runs beside itself, and the ports they get. A program ends with the thread that started it."""

import errno
import random
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path


def spawn(command: Sequence[str], log_path: Path) -> subprocess.Popen[bytes]:
    """Start a program with no input; what it says goes to `log_path`."""
    setpriv = shutil.which("setpriv")
    tied = [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
    with log_path.open("wb") as log:
        return subprocess.Popen([*tied, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)


def end(process: subprocess.Popen[bytes], grace_s: float = 5.0) -> None:
    """Ask it to end, and after `grace_s` make it. Returns when it is gone."""
    process.terminate()
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Ports that are free for TCP and UDP right now, even numbers.

    They lie below the kernel's ephemeral range, so that no outgoing connection takes one before its owner binds it.
    """
    found: list[int] = []
    candidates = random.sample(range(16_000, 32_000, 2), 2_000)
    while len(found) < count:
        port = candidates.pop()
        if _is_free(host, port):
            found.append(port)
    return found


def _is_free(host: str, port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                return False
    return True
