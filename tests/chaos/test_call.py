"""What is broken in mid-call: the call is still there, the box mends itself, and interprets again."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from appliance import clock
from appliance.config import Config
from appliance.demo.say import Turn
from appliance.demo.script import spoken
from appliance.drill import live
from appliance.drill.table import Outcome
from appliance.drill.watch import Watch
from appliance.engines.registry import load_synthesizer
from appliance.frames.memory import Memory
from appliance.frames.messages import HealthEvent
from appliance.media.rtp import Packet, serialise
from appliance.supervision.vitals import Vitals
from appliance.units import FRAME_MS, FRAME_NS, FRAME_SAMPLES, NS_PER_MS, NS_PER_S
from chaos.scene import Scene, wait_until
from chaos.table import BACK_S, Row, note, rows

pytestmark = [pytest.mark.call, pytest.mark.alone]

FOREIGN_HZ = 2_000
FOREIGN_PER_S = 10_000
INJECTED = 100.0  # of that tone in 20 ms: a whole frame of it would have 2,000, a click in the hum has 20
HOUR_S = 3_600


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One call, which everything that follows must leave up."""
    with Scene(tmp_path_factory.mktemp("chaos")) as made:
        yield made


@pytest.fixture(scope="module")
def turn() -> Turn:
    return spoken("Muito obrigado, eu vou esperar na linha.", load_synthesizer("kokoro", Config()))


def replaced(scene: Scene, process: str, strike: Callable[[str], object]) -> Outcome:
    """The watchdog notices, and another one takes its place."""
    with scene.humming() as hearing, Watch(scene.box.config.instance, process) as watch:
        since_ns = clock.now_ns()
        strike(process)
        is_back = watch.wait_until_back(BACK_S)
        wait_until(hearing.is_heard, "the hum is heard again")
        return Outcome(watch.seen_ms(since_ns), watch.back_s(since_ns), hearing.gap_ms, never_back=not is_back)


def killed(process: str) -> Callable[[Scene], Outcome]:
    return lambda scene: replaced(scene, process, scene.box.kill)


def stopped(process: str) -> Callable[[Scene], Outcome]:
    def stop(scene: Scene) -> Outcome:
        pid = scene.box.process_id(process)
        outcome = replaced(scene, process, lambda _: stand_still(scene, process))
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), "the old one is gone")
        return outcome

    return stop


def stand_still(scene: Scene, process: str) -> None:
    memory = Memory.attach(scene.box.config.instance)
    vitals = Vitals(memory.vitals(process))
    live.stand_still(vitals.pid, vitals)
    del vitals
    memory.close()


def watchdog_killed(scene: Scene) -> Outcome:
    before = len(scene.box.entries())
    with scene.humming() as hearing:
        since_ns = clock.now_ns()
        scene.box.kill("watchdog")
        scene.box.start_again()
        back_s = (scene.wait_for_event("watchdog", "ready", before) - since_ns) / NS_PER_S
        wait_until(hearing.is_heard, "the hum is heard again")
        return Outcome(back_s=back_s, gap_ms=hearing.gap_ms)


def ari_cut(for_s: float) -> Callable[[Scene], Outcome]:
    def cut(scene: Scene) -> Outcome:
        before = len(scene.box.entries())
        with scene.humming() as hearing:
            since_ns = clock.now_ns()
            scene.ari.cut()
            seen_ns = scene.wait_for_event("ari", "LOST", before)
            clock.sleep_s(for_s - (clock.now_ns() - since_ns) / NS_PER_S)
            scene.ari.mend()
            back_ns = scene.wait_for_event("ari", "UP", before)
            return Outcome((seen_ns - since_ns) / NS_PER_MS, (back_ns - since_ns) / NS_PER_S, hearing.gap_ms)

    return cut


def ari_half_open(scene: Scene) -> Outcome:
    """Asterisk seems to be there, and says nothing: the heartbeat of the stream of events finds out."""
    before = len(scene.box.entries())
    with scene.humming() as hearing:
        since_ns = clock.now_ns()
        scene.ari.is_silent = True
        seen_ns = scene.wait_for_event("ari", "LOST", before)
        scene.ari.is_silent = False
        scene.ari.cut()
        scene.ari.mend()
        back_ns = scene.wait_for_event("ari", "UP", before)
        return Outcome((seen_ns - since_ns) / NS_PER_MS, (back_ns - since_ns) / NS_PER_S, hearing.gap_ms)


def clock_set(offset_s: int) -> Callable[[Scene], Outcome]:
    """Nobody notices: everything that has a deadline counts by another clock."""

    def step(scene: Scene) -> Outcome:
        before = len(scene.box.entries())
        with scene.humming() as hearing:
            scene.wall_clock.set(offset_s)
            clock.sleep_s(3)
            assert not [entry for entry in scene.box.entries()[before:] if isinstance(entry, HealthEvent)]
            return Outcome(gap_ms=hearing.gap_ms)

    return step


def foreign_packets(scene: Scene) -> Outcome:
    before = scene.box.counters()["rtp"].get("strangers", 0)
    with scene.humming() as hearing:
        sent = inject(scene, seconds=3)
        wait_until(lambda: scene.box.counters()["rtp"]["strangers"] - before > 0.9 * sent, "they have come")
        assert hearing.loudest(FOREIGN_HZ) < INJECTED
        return Outcome(gap_ms=hearing.gap_ms)


def inject(scene: Scene, seconds: float) -> int:
    """RTP as an ear sends it, but from elsewhere; returns how many packets."""
    tone = 16_000 * np.sin(2 * np.pi * FOREIGN_HZ * np.arange(FRAME_SAMPLES) / 16_000)
    payload, sent, due_ns = tone.astype(">i2").tobytes(), 0, clock.now_ns()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))
        while sent < seconds * FOREIGN_PER_S:
            for _ in range(FOREIGN_PER_S * FRAME_MS // 1000):
                packet = Packet(118, sent & 0xFFFF, sent * FRAME_SAMPLES & 0xFFFFFFFF, 7, payload)
                stranger.sendto(serialise(packet), scene.media)
                sent += 1
            due_ns += FRAME_NS
            clock.sleep_s(max(0.0, (due_ns - clock.now_ns()) / NS_PER_S))
    return sent


def asterisk_killed(scene: Scene) -> Outcome:
    """The phones dial again; whoever was talking has to."""
    before, since_ns = len(scene.box.entries()), clock.now_ns()
    os.kill(scene.call.asterisk.pid, signal.SIGKILL)
    scene.call.asterisk.stop()
    scene.call.asterisk.start()
    for phone in scene.call.phones.values():
        phone.hang_up()
        phone.wait_for("CLOSED")
    scene.wait_for_event("ari", "UP", before)
    scene.call.dial()
    back_s = (clock.now_ns() - since_ns) / NS_PER_S
    with scene.humming():  # they hear each other
        return Outcome(back_s=back_s, calls_lost=1)


MAKE: dict[str, Callable[[Scene], Outcome]] = {
    **{f"{process} killed": killed(process) for process in ("rtp", "asr", "mt", "tts", "calls", "ops")},
    **{f"{process} hangs": stopped(process) for process in ("rtp", "asr", "mt", "tts", "calls")},
    "watchdog killed": watchdog_killed,
    **{f"ARI cut for {seconds} s": ari_cut(seconds) for seconds in (1, 10, 60)},
    "ARI half-open": ari_half_open,
    "clock + 1 h": clock_set(HOUR_S),
    "clock - 1 h": clock_set(-HOUR_S),
    "foreign packets": foreign_packets,
    "Asterisk killed": asterisk_killed,
}


def test_the_table_and_what_makes_it_agree() -> None:
    assert MAKE.keys() == {row.name for row in rows("call")}


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.name, marks=() if row.short else pytest.mark.long) for row in rows("call")]
)
def test_the_call_goes_on(scene: Scene, turn: Turn, row: Row, is_long: bool) -> None:
    before = scene.objects()
    outcome = MAKE[row.name](scene)
    if row.turn or is_long:
        scene.call.interpret(turn)
    note(row, scene.after(outcome, before))
