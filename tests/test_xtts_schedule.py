"""Who is served next: first sounds, then who would fall silent, and how many a machine carries."""

import pytest

from appliance.units import NS_PER_MS
from appliance.xtts.schedule import (
    LONGEST_CHUNK_TOKENS,
    Limits,
    StreamState,
    Turn,
    capacity,
    chunk_tokens,
    is_due,
    next_turn,
)

NOW = 10_000 * NS_PER_MS


def speaking(slot: int, dry_ms: float, waiting: int = 0, told: int = 12, is_over: bool = False) -> StreamState:
    """Somebody whose listener hears speech for `dry_ms` more."""
    dry_ns = NOW + round(dry_ms * NS_PER_MS)
    return StreamState(slot, 0, told=told, waiting=waiting, is_over=is_over, dry_ns=dry_ns)


def new(slot: int, age_ms: int, unread: int = 0, waiting: int = 0) -> StreamState:
    return StreamState(slot, NOW - age_ms * NS_PER_MS, unread=unread, waiting=waiting)


@pytest.mark.parametrize(
    ("streams", "turn"),
    [
        ([], Turn((), (), ())),
        ([new(0, 5, unread=60)], Turn((0,), (), ())),
        ([new(0, 5, unread=60), new(1, 9, unread=60)], Turn((1,), (), ())),
        ([new(0, 5, waiting=5)], Turn((), (0,), ())),
        ([new(0, 5, waiting=6)], Turn((), (0,), (0,))),
        # First sounds come first, the oldest of them before the others; then who is dry first. Two are told at once.
        ([speaking(0, 100, 12), new(1, 5, waiting=6), new(2, 9, waiting=6)], Turn((), (2, 1, 0), (2, 1))),
        ([speaking(0, 700, 20), speaking(1, 300, 20), speaking(2, 500, 20)], Turn((), (1, 2, 0), (1, 2))),
        # Who is far ahead waits while somebody needs the machine, and not otherwise.
        ([speaking(0, 2500), new(1, 5, unread=60)], Turn((1,), (), ())),
        ([speaking(0, 2500), speaking(1, 400)], Turn((), (1,), ())),
        ([speaking(0, 2500), speaking(1, 600)], Turn((), (1, 0), ())),
        ([speaking(0, 1500, waiting=11), speaking(1, 400)], Turn((), (1,), ())),
        ([speaking(0, 2500), speaking(1, 400, is_over=True)], Turn((), (0,), (1,))),
    ],
)
def test_who_is_served(streams: list[StreamState], turn: Turn) -> None:
    assert next_turn(streams, NOW, Limits(read=1, tell=2)) == turn


def test_chunks_grow() -> None:
    told, sizes = 0, []
    while told < 150:
        sizes.append(chunk_tokens(told))
        told += sizes[-1]
    assert sizes == sorted(sizes)
    assert sizes[0] == 6
    assert sizes[-1] == LONGEST_CHUNK_TOKENS


@pytest.mark.parametrize(
    ("stream", "due"),
    [
        (speaking(0, 1000, waiting=11), False),
        (speaking(0, 1000, waiting=12), True),
        (speaking(0, 199, waiting=4), True),
        (speaking(0, 199, waiting=3), False),
        (speaking(0, -1, waiting=11), False),
        (speaking(0, -1, waiting=12), True),
        (speaking(0, 1000, waiting=1, is_over=True), True),
    ],
)
def test_what_is_told_now(stream: StreamState, due: bool) -> None:
    assert is_due(stream, NOW) is due


@pytest.mark.parametrize(
    ("turn_ms", "streams"),
    [
        ([(1, 100.0)], 1),  # too slow for one, who hears gaps, and is not refused
        ([(1, 10.0), (2, 20.0), (4, 30.0)], 4),
        ([(1, 7.0), (2, 17.0), (4, 57.0)], 3),  # 37.15 ms are allowed
        ([(64, 90.0), (1, 1.0), (32, 30.0)], 35),
        ([(2, 100.0), (1, 30.0)], 1),
    ],
)
def test_how_many_are_carried(turn_ms: list[tuple[int, float]], streams: int) -> None:
    assert capacity(turn_ms) == streams
