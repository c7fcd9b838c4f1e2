"""A private Asterisk on loopback, run from the unpacked tree with its own dynamic loader."""

import subprocess
import time
import urllib.request
from base64 import b64encode
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from appliance.config import Config
from appliance.demo.child import end, free_ports, spawn
from appliance.telephony.asterisk_config import Directories, render

READY_S = 15.0
MAX_SOCKET_PATH = 107  # sockaddr_un.sun_path without its final zero


class AsteriskError(Exception):
    """Asterisk cannot be run; the message is one sentence: what, where, what to do."""


def asterisk_tree(config: Config) -> Path:
    """The unpacked Asterisk. Raises AsteriskError if it is not there."""
    tree = config.cache_dir.expanduser() / "asterisk-tree"
    if not _loader(tree).exists():
        raise AsteriskError(f"no Asterisk in {tree}: run make setup")
    return tree


def with_free_ports(config: Config, host: str = "127.0.0.1") -> Config:
    """The same configuration on ports that nobody uses, so that several can run side by side."""
    ari, sip, media, ops = free_ports(4, host)
    asterisk = msgspec.structs.replace(config.asterisk, ari_url=f"http://{host}:{ari}", sip_host=host, sip_port=sip)
    return msgspec.structs.replace(
        config,
        asterisk=asterisk,
        media=msgspec.structs.replace(config.media, host=host, port=media),
        ops=msgspec.structs.replace(config.ops, host=host, port=ops),
    )


class PrivateAsterisk:
    """One Asterisk of our own: configured from `config`, all its files below `directory`.

    It ends with the thread that started it, whatever happens to that. A context manager: started inside, stopped after.
    """

    def __init__(self, tree: Path, directory: Path, config: Config) -> None:
        directory = directory.absolute()  # Asterisk goes to live in another folder
        self.log_path = directory / "asterisk.log"
        self._tree = tree
        self._config = config
        self._etc = directory / "etc"
        self._state = directory / "state"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id. Raises AsteriskError if it does not run."""
        if self._process is None:
            raise AsteriskError("this Asterisk has not been started")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Write the configuration, start, and return when ARI answers. Raises AsteriskError or ConfigError."""
        self._write_configuration()
        self._process = spawn([*self._program(), "-f", "-q"], self.log_path)
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it, with all its calls. Returns when it is gone."""
        if self._process is None:
            return
        end(self._process)
        self._process = None

    def command(self, text: str) -> str:
        """What Asterisk's console says to `text`, e.g. "core show channels"."""
        ask = [*self._program(), "-rx", text]
        return subprocess.run(ask, capture_output=True, text=True, timeout=10, check=True).stdout

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _write_configuration(self) -> None:
        console = self._state / "run" / "asterisk.ctl"
        if len(str(console)) > MAX_SOCKET_PATH:
            raise AsteriskError(f"{console} is too long for a socket's name; choose a shorter folder")
        modules = self._tree / "usr/lib/x86_64-linux-gnu/asterisk/modules"
        render(self._config, self._etc, Directories(modules, self._tree / "usr/share/asterisk", self._state))

    def _program(self) -> list[str]:
        libraries, asterisk = self._tree / "usr/lib/x86_64-linux-gnu", self._tree / "usr/sbin/asterisk"
        loader = [str(_loader(self._tree)), "--library-path", str(libraries)]
        return [*loader, str(asterisk), "-C", str(self._etc / "asterisk.conf")]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        while not _ari_answers(self._config):
            if self._process is None or self._process.poll() is not None:
                raise AsteriskError(f"Asterisk ended while starting: {self._last_words()} (see {self.log_path})")
            if time.monotonic() > deadline:
                raise AsteriskError(f"Asterisk was not ready after {READY_S:.0f} s (see {self.log_path})")
            time.sleep(0.02)

    def _last_words(self) -> str:
        lines = self.log_path.read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _loader(tree: Path) -> Path:
    return tree / "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"


def _ari_answers(config: Config) -> bool:
    asterisk = config.asterisk
    login = b64encode(f"{asterisk.ari_user}:{asterisk.ari_password}".encode()).decode()
    request = urllib.request.Request(
        f"{asterisk.ari_url}/ari/asterisk/ping", headers={"Authorization": f"Basic {login}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:  # URLError and HTTPError are OSErrors: not listening yet, or the module is not loaded yet
        return False
