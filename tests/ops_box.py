"""A toy appliance whose `ops` is the real one, and how to ask it."""

import http.client
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import msgspec
from box import PATIENCE_S, Box

from appliance.demo.child import free_ports


class OpsBox(Box):
    """`toys` as in Box; `ops` is added, on a free port. `settings`: further lines of [ops]."""

    def __init__(self, folder: Path, settings: str = "", **toys: str) -> None:
        super().__init__(folder, **{"ops": "ops", **toys})
        (self.ops_port,) = free_ports(1)
        self.place = (folder / "voices", folder / "voices.key")
        self.config.write_text(
            f"{self.config.read_text()}"
            f'[ops]\nport = {self.ops_port}\naccess_file = "{folder}/access.json"\n{settings}\n'
            f'[voices]\nfolder = "{self.place[0]}"\nkey_file = "{self.place[1]}"\nenrolment_number = "700"\n'
        )

    def wait_until_up(self) -> "OpsBox":
        """Wait until all processes are ready; the appliance itself does not wait for ops."""
        super().wait_until_up()
        self.wait_for(component="ops", status="up")
        return self

    def ask(self, path: str, method: str = "GET") -> tuple[int, str]:
        """Status and body of what ops answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ops_port, timeout=PATIENCE_S)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def header(self, path: str, name: str) -> str:
        """A header of the answer; empty if it has none."""
        with urlopen(f"http://127.0.0.1:{self.ops_port}{path}", timeout=PATIENCE_S) as answer:
            return answer.headers.get(name, "")

    def json(self, path: str) -> Any:
        """A JSON answer."""
        status, body = self.ask(path)
        assert status == 200, body
        return msgspec.json.decode(body)

    def metric(self, series: str) -> float:
        """One value of /metrics; `series` with its labels."""
        lines = dict(line.rsplit(" ", 1) for line in self.ask("/metrics")[1].splitlines() if not line.startswith("#"))
        return float(lines[series])
