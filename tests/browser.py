"""A real browser: Debian's Chromium without a window, asked over its debugging protocol."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from websockets.sync.client import ClientConnection, connect

PROGRAM = shutil.which("chromium")
PATIENCE_S = 60


class Page:
    """A page in the browser, asked through `debugger`."""

    def __init__(self, debugger: ClientConnection) -> None:
        self._debugger = debugger
        self._asked = 0

    def text(self) -> str:
        """What is to be read now; the cells of a row are parted by tabs."""
        return str(self.evaluate("document.body?.innerText ?? ''"))

    def until(self, holds: Callable[[str], bool]) -> str:
        """Wait until the text is as it should be, and return it."""
        deadline = time.monotonic() + PATIENCE_S
        while not holds(text := self.text()):
            assert time.monotonic() < deadline, f"the page shows only:\n{text}"
            time.sleep(0.1)
        return text

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page; None where it has none that could be told."""
        return self.call("Runtime.evaluate", expression=script)["result"].get("value")

    def call(self, method: str, **params: Any) -> Any:
        """Ask the browser for something of its debugging protocol."""
        self._asked += 1
        self._debugger.send(json.dumps({"id": self._asked, "method": method, "params": params}))
        while (answer := json.loads(self._debugger.recv(PATIENCE_S))).get("id") != self._asked:
            pass
        return answer["result"]

    def press(self, key: str, code: int, text: str = "") -> None:
        """A key of the keyboard, down and up; `code` is Windows' number of it."""
        for kind in ("keyDown", "keyUp"):
            letters = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **letters)

    def type(self, text: str) -> None:
        """Text into whatever has the focus."""
        self.call("Input.insertText", text=text)


@contextmanager
def browsing(address: str, profile: Path, *more_options: str) -> Iterator[Page]:
    """A browser that shows the page at `address`, with a profile of its own; gone afterwards."""
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0")
    browser = subprocess.Popen(
        [str(PROGRAM), *options, *more_options, f"--user-data-dir={profile}", address], stderr=subprocess.DEVNULL
    )
    try:
        with connect(_debugger_url(address, profile)) as debugger:
            yield Page(debugger)
    finally:
        browser.terminate()
        browser.wait(PATIENCE_S)


def _debugger_url(address: str, profile: Path) -> str:
    """Wait until the browser has written down its port, and has the page."""
    written = profile / "DevToolsActivePort"
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if written.exists() and (lines := written.read_text().split()):
            with urlopen(f"http://127.0.0.1:{lines[0]}/json", timeout=PATIENCE_S) as answer:
                pages = [page for page in json.load(answer) if page["url"].startswith(address)]
            if pages:
                return str(pages[0]["webSocketDebuggerUrl"])
        time.sleep(0.1)
    raise TimeoutError("the browser did not start")
