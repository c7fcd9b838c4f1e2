"""asr, mt and tts as threads over real shared memory, and what a test needs to talk to them."""

import threading
import uuid
from collections.abc import Callable
from types import UnionType
from typing import Generic, TypeVar

import numpy as np
from fakes.tones import GAP_MS, WORD_MS

from appliance.config import Config
from appliance.frames.memory import Memory
from appliance.frames.messages import Segment, Translation
from appliance.frames.ring import END, Frame
from appliance.frames.roster import Lane, Leg, Roster
from appliance.frames.text import TextReader
from appliance.supervision.context import Context
from appliance.supervision.process_table import PROCESS_NAMES, WORKERS
from appliance.units import FRAME_NS, FRAME_SAMPLES, NS_PER_MS

PATIENCE_S = 60
LEGS = (Leg(0, 7, "r1", "en", None), Leg(1, 3, "r1", "pt-br", None))
LANES = (Lane(0, 1, 0, "pt-br", 0), Lane(1, 1, 1, "en", 1))
ROSTER = Roster(LEGS, LANES)
SPEECH_STARTS_NS = 5_000_000_000


class Killed(BaseException):
    """Stands for a process that dies in the middle of an engine call."""


class Appliance:
    """The shared memory, and processes that run in threads."""

    def __init__(self) -> None:
        self.config = Config(instance=f"test-{uuid.uuid4().hex[:8]}")
        self.memory = Memory.create(self.config, PROCESS_NAMES)
        self.memory.write_roster(ROSTER)
        self._running: list[tuple[Context, threading.Thread]] = []

    def start(self, name: str, main: Callable[[Context], None]) -> Context:
        process = next(process for process in WORKERS if process.name == name)
        context = Context(process, self.config, Memory.attach(self.config.instance))
        thread = threading.Thread(target=self._live, args=(main, context))
        thread.start()
        self._running.append((context, thread))
        return context

    @staticmethod
    def _live(main: Callable[[Context], None], context: Context) -> None:
        try:
            main(context)
        except Killed:
            context.vitals.set("calls", 1)  # a mark for the test: dead

    def wait_for_death(self) -> None:
        self._running.pop()[1].join(PATIENCE_S)

    def stop(self) -> None:
        for context, thread in self._running:
            context.stopping = True
            thread.join(PATIENCE_S)
        self._running.clear()

    def close(self) -> None:
        self.stop()
        self.memory.unlink()
        self.memory.close()


def wait_until(happens: Callable[[], bool]) -> None:
    """Until something has happened, however slow this machine is today."""
    over = threading.Event()
    for _ in range(PATIENCE_S * 100):
        if happens():
            return
        over.wait(0.01)
    raise AssertionError("it never happened")


Message = TypeVar("Message")


class Mailbox(Generic[Message]):
    """Collects messages from a ring."""

    def __init__(self, memory: Memory, ring: str, index: int | str, record: type[Message] | UnionType) -> None:
        self._reader: TextReader[Message] = TextReader(memory.reader(ring, index), record)
        self.messages: list[Message] = []

    def collect(self, count: int) -> list[Message]:
        """The first `count` messages ever; waits for them."""

        def enough() -> bool:
            while (message := self._reader.read()) is not None:
                self.messages.append(message)
            return len(self.messages) >= count

        wait_until(enough)
        return self.messages


class Mouth:
    """Somebody who speaks into an uplink: words that are called by their loudness, frame by frame."""

    def __init__(self, memory: Memory, leg: int) -> None:
        self._uplink = memory.writer("uplink", leg)
        self._now_ns = SPEECH_STARTS_NS

    def plays(self, frames: list[bytes]) -> None:
        for frame in frames:
            self._uplink.push(frame, capture_ns=self._now_ns)
            self._now_ns += FRAME_NS

    def makes(self, percent: int, duration_ms: int) -> None:
        frame = np.full(FRAME_SAMPLES, percent / 100 * 32_768, "<i2").tobytes()
        self.plays([frame] * (duration_ms // 20))

    def is_silent(self, duration_ms: int) -> None:
        self.makes(0, duration_ms)

    def says(self, *percents: int) -> None:
        """Words, and no pause after them yet."""
        for percent in percents:
            self.makes(percent, WORD_MS)
            self.makes(0, GAP_MS)


def a_segment(text: str, number: int, leg: int = 0, call: int = 7, language: str = "en") -> Segment:
    at_ns = SPEECH_STARTS_NS + number * 1000 * NS_PER_MS
    return Segment(leg, call, 50 * number, 0, True, at_ns, at_ns + 600 * NS_PER_MS, language, text, 80.0)


def a_translation(text: str, number: int, lane: int = 0, **source: int) -> Translation:
    target = LANES[lane].target_language
    segment = a_segment("…", number, leg=LANES[lane].leg, call=source.get("call", LEGS[LANES[lane].leg].call))
    return Translation(lane, segment.seq_num, 0, True, segment, target, text, 10.0)


class Ear:
    """Collects what comes down a lane."""

    def __init__(self, memory: Memory, lane: int) -> None:
        self._downlink = memory.reader("downlink", lane)
        self.frames: list[Frame] = []

    def hears(self, ends: int) -> list[Frame]:
        """All frames so far; waits until that many translations are over."""

        def enough() -> bool:
            self.frames += self._downlink.pop_many(1000)
            return sum(bool(frame.flags & END) for frame in self.frames) >= ends

        wait_until(enough)
        return self.frames
