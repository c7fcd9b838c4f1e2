"""One real call in which things are broken: who hums into it, what the other phone hears, and what is left behind."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from unittest.mock import patch

import msgspec
import numpy as np
import psutil
from numpy.typing import NDArray

from appliance import clock
from appliance.config import Config
from appliance.demo import softphone
from appliance.demo.box import Box
from appliance.demo.call import InterpretedCall, demo_config
from appliance.demo.child import free_ports
from appliance.drill import live
from appliance.drill.table import Outcome
from appliance.frames.memory import Memory
from appliance.frames.messages import HealthEvent, JournalEntry
from appliance.units import FRAME_MS, FRAME_SAMPLES, NS_PER_S, SAMPLE_RATE_HZ
from chaos.tunnel import Tunnel
from chaos.wall_clock import WallClock

HUM_HZ = 300
HUM_S = 100
WAV_HEADER_BYTES = 44
AUDIBLE = 60.0  # of the hum in 20 ms; softly under a translation it has some 1,000
PATIENCE_S = 20.0
LOOK_S = 0.05


class ClockedBox(Box):
    """A box whose wall clock the test can set."""

    def __init__(self, config: Config, folder: Path, wall_clock: WallClock) -> None:
        super().__init__(config, folder)
        self._wall_clock = wall_clock

    def start(self) -> None:
        with patch.dict(os.environ, self._wall_clock.environment):
            super().start()


class Scene:
    """A context manager: the call is up inside. The caller speaks Portuguese, the callee English."""

    def __init__(self, folder: Path) -> None:
        config = demo_config(Config(), f"chaos-{os.getpid()}", ("pt-br", "en"))
        (port,) = free_ports(1)
        self.ari = Tunnel(port, int(config.asterisk.ari_url.rpartition(":")[2]))
        tunnelled = msgspec.structs.replace(config.asterisk, ari_url=f"http://127.0.0.1:{port}")
        self.wall_clock = WallClock(folder)
        self.call = InterpretedCall(config, folder)
        self.box = ClockedBox(msgspec.structs.replace(config, asterisk=tunnelled), folder, self.wall_clock)
        self.call.box = self.box
        self.media = (config.media.host, config.media.port)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            opened.enter_context(patch.object(softphone, "LONGEST_CALL_S", 1200))
            opened.enter_context(self.ari)
            self.call.start()
            opened.enter_context(self.call)
            self.call.dial()
            self._open = opened.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()

    # --- what is heard ---

    @contextmanager
    def humming(self) -> Iterator["Hearing"]:
        """The caller hums meanwhile; what the callee hears of it, beginning with the hum."""
        caller, callee = self.call.phones.values()
        times = np.arange(HUM_S * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
        recording = callee.heard()
        assert recording, "the call is up"
        hearing = Hearing(recording)
        caller.say((10_000 * np.sin(2 * np.pi * HUM_HZ * times)).astype(np.int16))
        wait_until(hearing.is_heard, "the hum is heard")
        hearing.begin()
        yield hearing
        caller.say(np.zeros(FRAME_SAMPLES, np.int16))

    # --- what is there ---

    def objects(self) -> Counter[str]:
        """Everything that a fault might leave behind, by kind."""
        asterisk, found = self.call.asterisk, Counter[str]()
        for line in asterisk.command("core show channels concise").splitlines():
            found[f"channel {line.partition('/')[0]}"] += "!" in line
        found["bridge"] = len(asterisk.command("bridge show all").splitlines()) - 1
        found["shared memory"] = len(list(Path("/dev/shm").glob(f"*dragoman-{self.box.config.instance}*")))
        for process in self._processes():
            found["process"] += 1
            for connection in process.net_connections("inet"):
                if connection.status in (psutil.CONN_LISTEN, psutil.CONN_NONE):
                    found[f"port {connection.laddr.port}"] = 1
        return +found

    def left_behind(self, before: Counter[str]) -> tuple[str, ...]:
        """What there is more than `before`, once everything has settled."""
        leaked: Counter[str] = Counter()

        def settled() -> bool:
            nonlocal leaked
            try:
                leaked = self.objects() - before
            except psutil.NoSuchProcess:
                return False
            return not leaked

        with suppress(AssertionError):
            wait_until(settled, "nothing is left", patience_s=5)
        return tuple(f"{count} {kind}" for kind, count in leaked.items())

    def _processes(self) -> list[psutil.Process]:
        memory = Memory.attach(self.box.config.instance)
        try:
            return [psutil.Process(self.box.process_id("watchdog")), *live.workers(memory)]
        finally:
            memory.close()

    def after(self, outcome: Outcome, before: Counter[str]) -> Outcome:
        """The same, with what has become of the call, and of everything that there was `before`."""
        lost = outcome.calls_lost + any(phone.hung_up for phone in self.call.phones.values())
        return msgspec.structs.replace(outcome, calls_lost=lost, leaked=self.left_behind(before))

    def wait_for_event(self, component: str, what: str, after: int, timeout_s: float = 60) -> int:
        """Wait for the health event with this status or action, from the log's entry `after` on; when it was, in ns."""

        def wanted(entry: JournalEntry) -> bool:
            return (
                isinstance(entry, HealthEvent) and entry.component == component and what in (entry.status, entry.action)
            )

        entry = self.box.wait_for(wanted, timeout_s, after)
        assert isinstance(entry, HealthEvent)
        return entry.ts_ns


class Hearing:
    """What a phone records of a hum, while it records."""

    def __init__(self, recording: Path) -> None:
        self._recording = recording
        self._from = self._size()

    def begin(self) -> None:
        """From here on."""
        self._from = self._size()

    def is_heard(self) -> bool:
        """Whether the last 200 ms have the hum in them."""
        levels = self._levels(HUM_HZ)[-10:]
        return len(levels) == 10 and bool((levels > AUDIBLE).all())

    @property
    def gap_ms(self) -> float:
        """The longest time without it so far."""
        longest = run = 0
        for level in self._levels(HUM_HZ):
            run = run + 1 if level <= AUDIBLE else 0
            longest = max(longest, run)
        return float(longest * FRAME_MS)

    def loudest(self, frequency_hz: int) -> float:
        """The most of another tone that was in any 20 ms, in samples."""
        return float(self._levels(frequency_hz).max(initial=0.0))

    def _size(self) -> int:
        return (self._recording.stat().st_size - WAV_HEADER_BYTES) // 2

    def _levels(self, frequency_hz: int) -> NDArray[np.float64]:
        """The amplitude of a tone in each 20 ms since the beginning."""
        samples = np.fromfile(self._recording, "<i2", offset=WAV_HEADER_BYTES + 2 * self._from).astype(np.float64)
        frames = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
        turns = 2 * np.pi * frequency_hz * np.arange(FRAME_SAMPLES) / SAMPLE_RATE_HZ
        return np.hypot(frames @ np.cos(turns), frames @ np.sin(turns)) * 2 / FRAME_SAMPLES


def wait_until(condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    deadline_ns = clock.now_ns() + int(patience_s * NS_PER_S)
    while not condition():
        assert clock.now_ns() < deadline_ns, f"waited in vain: {what}"
        clock.sleep_s(LOOK_S)
