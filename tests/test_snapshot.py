"""What somebody sees who looks at the appliance from outside: how far each lane is behind its speaker."""

import io
import os
import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from rich.console import Console

from appliance import clock
from appliance.commands.status import _picture
from appliance.config import Config
from appliance.frames.memory import Memory
from appliance.frames.ring import END, START
from appliance.frames.roster import Address, Booth, Lane, Leg, Roster
from appliance.supervision import snapshot
from appliance.supervision.process_table import WATCHDOG, WORKERS
from appliance.supervision.snapshot import LaneView
from appliance.supervision.vitals import Vitals
from appliance.units import FRAME_BYTES, NS_PER_MS, NS_PER_S

SOMEWHERE = Address("127.0.0.1", 5004)


@pytest.fixture
def memory() -> Iterator[Memory]:
    config = Config(instance=f"see-{uuid4().hex[:12]}", max_legs=2, max_lanes=2)
    memory = Memory.create(config, [WATCHDOG.name, *(process.name for process in WORKERS)])
    Vitals(memory.vitals(WATCHDOG.name)).spawned(os.getpid())
    memory.write_roster(
        Roster(
            legs=(Leg(0, 1, "r1", "en", SOMEWHERE),),
            booths=(Booth(0, "r1", "pt-br", SOMEWHERE),),
            lanes=(Lane(0, 1, leg=0, target_language="pt-br", booth=0),),
        )
    )
    yield memory
    memory.close()
    memory.unlink()


def lane(memory: Memory) -> LaneView:
    [room] = snapshot.take(memory).rooms
    return room.lanes[0]


def say(memory: Memory) -> int:
    """Put a clause of two frames into the lane; returns when what it translates had been said."""
    said_ns = clock.now_ns() - NS_PER_S
    memory.writer("downlink").push_many(bytes(2 * FRAME_BYTES), capture_ns=said_ns, flags=START | END)
    return said_ns


def is_lag_since(memory: Memory, said_ns: int) -> bool:
    before_ns = clock.now_ns()
    lag_ns = lane(memory).lag_ms * NS_PER_MS
    return before_ns - said_ns <= round(lag_ns) <= clock.now_ns() - said_ns


def test_a_lanes_lag_is_how_long_ago_that_was_said_which_is_heard_now(memory):
    playout = memory.reader("downlink")
    assert lane(memory).lag_ms is None
    clauses = [say(memory), say(memory)]
    for said_ns in clauses:
        for _ in range(2):
            assert is_lag_since(memory, said_ns)
            playout.pop()
            playout.commit()
    assert lane(memory).lag_ms is None


def test_the_table_shows_the_lag(memory):
    say(memory)
    console = Console(width=160, file=io.StringIO())
    console.print(_picture(snapshot.take(memory)))
    assert re.search(r"lane 0 .* 2 frames +0 +\d+\.\d s", console.file.getvalue())
