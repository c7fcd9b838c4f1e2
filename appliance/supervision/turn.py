"""A standby's turn: it waits for the word of the watchdog on its standard input, and yields to everybody until then."""

import os
import select
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import get_native_id

BEAT_S = 0.25
LESS_URGENT = 10  # nice(2)
WORD = b"go\n"
THREADS = Path("/proc/self/task")


class Turn:
    """Made when the standby begins to load: from then on it yields to everybody else, where it can take that back."""

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        self._urgency = os.getpriority(os.PRIO_PROCESS, 0)
        if _can_rise_again():
            os.nice(LESS_URGENT)

    def wait(self, beat: Callable[[], None]) -> None:
        """Return when it is our turn, as urgent as the watchdog; `beat` is called every BEAT_S until then.

        Raises SystemExit when nobody needs us any more.
        """
        word = select.poll()
        word.register(self._descriptor, select.POLLIN)
        beat()
        while not word.poll(BEAT_S * 1000):
            beat()
        if os.read(self._descriptor, len(WORD)) != WORD:  # its end: dismissed, or the watchdog is gone
            sys.exit(0)
        self._rise()

    def _rise(self) -> None:
        """Every thread has an urgency of its own."""
        if os.getpriority(os.PRIO_PROCESS, 0) != self._urgency:
            for thread in THREADS.iterdir():
                os.setpriority(os.PRIO_PROCESS, int(thread.name), self._urgency)


def _can_rise_again() -> bool:
    """Tried in a thread that ends: nobody who is not allowed to rise comes back from being nice."""

    def try_it() -> bool:
        urgency = os.getpriority(os.PRIO_PROCESS, get_native_id())
        os.setpriority(os.PRIO_PROCESS, get_native_id(), urgency + 1)
        try:
            os.setpriority(os.PRIO_PROCESS, get_native_id(), urgency)
        except PermissionError:
            return False
        return True

    with ThreadPoolExecutor(1) as trial:
        return trial.submit(try_it).result()
