"""Four calls, and a box that loses its processes time and again: everybody is there at the end, and interpreted."""

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from appliance import clock
from appliance.config import Config
from appliance.demo.fleet import Fleet, fleet_config
from appliance.demo.say import Turn
from appliance.demo.script import spoken
from appliance.drill.table import Outcome
from appliance.engines.registry import load_synthesizer
from appliance.frames.memory import Memory
from appliance.frames.messages import FirstAudio, HealthEvent, JournalEntry
from appliance.supervision import snapshot
from appliance.supervision.process_table import WORKERS
from appliance.units import NS_PER_MS, NS_PER_S
from chaos.scene import wait_until
from chaos.table import Row, note, rows

pytestmark = [pytest.mark.call, pytest.mark.long, pytest.mark.timeout(900)]

CALLS = 4
KILLS = 36
PAUSE_S = 5.0
SEED = 20_261_123
HEARD_S = 60.0


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    config = fleet_config(Config(), f"chaos-{os.getpid()}", ("pt-br", "en"), CALLS)
    with Fleet(config, tmp_path_factory.mktemp("fleet")) as made:
        for call in made.calls:
            call.dial()
        yield made


@pytest.fixture(scope="module")
def turn() -> Turn:
    return spoken("Muito obrigado, eu vou esperar na linha.", load_synthesizer("kokoro", Config()))


def kill(fleet: Fleet, process: str) -> None:
    with suppress(ProcessLookupError):  # it is being restarted
        os.kill(fleet.box.process_id(process), signal.SIGKILL)


def is_healthy(fleet: Fleet) -> bool:
    memory = Memory.attach(fleet.box.config.instance)
    try:
        return snapshot.take(memory).healthy
    finally:
        memory.close()


def random_kills(fleet: Fleet) -> Outcome:
    """Each of them is back when the next one dies, or not."""
    chance = random.Random(SEED)
    for _ in range(KILLS):
        since_ns = clock.now_ns()
        kill(fleet, chance.choice([row.name for row in WORKERS]))
        clock.sleep_s(PAUSE_S)
    wait_until(lambda: is_healthy(fleet), "everything is up", 90)
    return Outcome(back_s=(clock.now_ns() - since_ns) / NS_PER_S)


def six_crashes(fleet: Fleet) -> Outcome:
    """The circuit opens at the fifth, or earlier after other deaths; those that follow are of processes on trial."""
    began_ns, seen_ns = clock.now_ns(), 0
    for _ in range(6):
        wait_until(lambda: is_healthy(fleet), "mt is up", 60)
        before = len(fleet.box.entries())
        kill(fleet, "mt")
        after = fleet.box.wait_for(has_died, 10, before)
        assert isinstance(after, HealthEvent)
        if after.action.startswith("open circuit"):
            seen_ns = seen_ns or after.ts_ns
    wait_until(lambda: is_healthy(fleet), "mt is up at last", 90)
    assert seen_ns
    return Outcome((seen_ns - began_ns) / NS_PER_MS, (clock.now_ns() - began_ns) / NS_PER_S)


def has_died(entry: JournalEntry) -> bool:
    return isinstance(entry, HealthEvent) and entry.component == "mt" and entry.status.startswith("exited")


MAKE: dict[str, Callable[[Fleet], Outcome]] = {"36 random deaths": random_kills, "six crashes": six_crashes}


@pytest.mark.parametrize("row", rows("fleet"), ids=lambda row: row.name)
def test_everybody_is_still_there_and_interpreted(fleet: Fleet, turn: Turn, row: Row) -> None:
    outcome = MAKE[row.name](fleet)
    since_ns = clock.now_ns()
    for call in fleet.calls:
        call.say(turn)

    def lanes_heard() -> set[int]:
        told = [entry for entry in fleet.box.entries() if isinstance(entry, FirstAudio)]
        return {entry.lane for entry in told if entry.sent_ns - entry.chain_ns > since_ns}

    wait_until(lambda: len(lanes_heard()) == CALLS, "everybody is heard translated", HEARD_S)
    lost = sum(call.was_lost for call in fleet.calls)
    note(row, Outcome(outcome.seen_ms, outcome.back_s, calls_lost=lost))
