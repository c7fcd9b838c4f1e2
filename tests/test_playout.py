"""Playout: clauses go out in order and whole, they start as soon as they may, and nothing clicks."""

from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.media.playout import FADE_MS, Piece, Playout
from appliance.units import FRAME_SAMPLES, SAMPLE_RATE_HZ

PREFILL_FRAMES = 4
LOUD = np.full(FRAME_SAMPLES, 10_000, "<i2").tobytes()


def clause(frames: int, number: int = 1, payload: bytes = LOUD) -> list[Piece]:
    return [
        Piece(payload, number, speech_end_ns=1_000 * number, first=i == 0, last=i == frames - 1) for i in range(frames)
    ]


def push(playout: Playout, pieces: list[Piece]) -> None:
    for piece in pieces:
        playout.push(piece)


def play(playout: Playout, ticks: int) -> list[np.ndarray | None]:
    played = [playout.tick() for _ in range(ticks)]
    return [np.frombuffer(p.payload, "<i2") if p else None for p in played]


def is_heard(ticks: list[np.ndarray | None]) -> str:
    return "".join("." if samples is None else "#" for samples in ticks)


def test_without_anything_to_say_it_is_silent():
    assert is_heard(play(Playout(PREFILL_FRAMES), 3)) == "..."


@pytest.mark.parametrize("prefill_frames", [0, 1, PREFILL_FRAMES])
def test_a_clause_that_is_all_there_starts_at_once(prefill_frames):
    playout = Playout(prefill_frames)
    push(playout, clause(2))
    assert is_heard(play(playout, 4)) == "##.."


def test_a_clause_still_being_made_starts_when_enough_of_it_is_there():
    playout = Playout(PREFILL_FRAMES)
    pieces = clause(10)
    heard = ""
    for piece in pieces[:6]:
        playout.push(piece)
        heard += is_heard(play(playout, 1))
    assert heard == "...###"


def test_a_clause_that_stops_coming_before_there_is_enough_is_not_kept_waiting_for_ever():
    playout = Playout(PREFILL_FRAMES)
    push(playout, clause(10)[:2])
    assert is_heard(play(playout, 8)) == "....###."  # both pieces, and the fade of the underrun


def test_clauses_keep_their_order_and_say_what_they_are_of():
    playout = Playout(PREFILL_FRAMES)
    push(playout, clause(2, number=7) + clause(1, number=8) + clause(2, number=9))
    heard = [playout.tick() for _ in range(5)]
    assert [piece.clause for piece in heard] == [7, 7, 8, 9, 9]
    assert [piece.first for piece in heard] == [True, False, True, True, False]
    assert [piece.speech_end_ns for piece in heard] == [7_000] * 2 + [8_000] + [9_000] * 2
    assert playout.tick() is None


def test_the_rest_of_a_clause_after_a_restart_is_played():
    playout = Playout(PREFILL_FRAMES)
    push(playout, clause(3)[1:])
    heard = play(playout, 3)
    assert is_heard(heard) == "##."
    assert heard[0][0] == 0


def test_a_clause_without_its_end_ends_where_the_next_begins():
    playout = Playout(PREFILL_FRAMES)
    push(playout, clause(5)[:2] + clause(2, number=2))
    heard = play(playout, 5)
    assert is_heard(heard) == "####."
    assert heard[2][0] == 0
    assert playout.underruns == 0


def test_edges_are_faded():
    playout = Playout(PREFILL_FRAMES)
    push(playout, clause(3))
    first, middle, last = play(playout, 3)
    fade = SAMPLE_RATE_HZ * FADE_MS // 1000
    assert first[0] == 0
    assert np.all(np.diff(first) >= 0)
    assert np.all(first[fade:] == 10_000)
    assert middle.tobytes() == LOUD
    assert last[-1] == 0
    assert np.all(last[:-fade] == 10_000)


def test_an_underrun_fades_out_without_a_step_and_in_again():
    playout = Playout(PREFILL_FRAMES)
    ramp = (np.arange(FRAME_SAMPLES) * 30).astype("<i2").tobytes()
    pieces = clause(12, payload=ramp)
    push(playout, pieces[:4])
    heard = play(playout, 7)
    assert is_heard(heard) == "#####.."
    assert heard[4][0] == heard[3][-1]
    assert heard[4][-1] == 0
    push(playout, pieces[4:])
    resumed = play(playout, 9)
    assert is_heard(resumed) == "########."
    assert resumed[0][0] == 0
    assert playout.underruns == 1


def test_it_wants_a_prefill_before_a_clause_and_one_piece_at_a_time_inside():
    playout = Playout(PREFILL_FRAMES)
    ring = clause(10)
    wanted = []
    for _ in range(8):
        wanted.append(0)
        while playout.wanted > 0:
            playout.push(ring.pop(0))
            wanted[-1] += 1
        playout.tick()
    assert wanted == [4, 0, 0, 0, 1, 1, 1, 1]
    assert playout.queued == 0


def tone(frames: int) -> np.ndarray:
    """A quiet beginning and end, so that its edges are not what clicks."""
    places = np.arange(frames * FRAME_SAMPLES)
    return 8_000 * np.sin(2 * np.pi * 200 * places / SAMPLE_RATE_HZ)


def pieces_of(samples: np.ndarray, number: int = 1) -> list[Piece]:
    payloads = [part.astype("<i2").tobytes() for part in np.split(samples, len(samples) // FRAME_SAMPLES)]
    pieces = zip(clause(len(payloads), number), payloads, strict=True)
    return [msgspec.structs.replace(piece, payload=data) for piece, data in pieces]


def play_out(playout: Playout, ring: list[Piece], speeds: Callable[[int], float]) -> list[Piece | None]:
    """Tick until everything has been heard; `speeds` by tick."""
    heard = []
    while ring or playout.queued:
        playout.speed = speeds(len(heard))
        while ring and playout.wanted > 0:
            playout.push(ring.pop(0))
        heard.append(playout.tick())
    return heard


@pytest.mark.parametrize("speed", [1.05, 1.25])
def test_faster_a_clause_is_over_sooner_and_still_whole(speed):
    ring = pieces_of(tone(100))
    heard = play_out(Playout(PREFILL_FRAMES), ring, lambda _: speed)
    assert len(heard) == pytest.approx(100 / speed, abs=3)
    assert [at for at, piece in enumerate(heard) if piece.first] == [0]
    assert [at for at, piece in enumerate(heard) if piece.last] == [len(heard) - 1]


def test_nothing_clicks_while_the_speed_changes():
    """The tone's slope is never exceeded: not where the speed changes, nor at the edges, which are faded."""
    ring = pieces_of(tone(150))
    slope = np.abs(np.diff(tone(150))).max()
    heard = play_out(Playout(PREFILL_FRAMES), ring, lambda tick: (1.0, 1.1, 1.25, 1.02, 1.0, 1.25)[tick // 25])
    samples = np.concatenate([np.frombuffer(piece.payload, "<i2") for piece in heard]).astype(float)
    assert np.abs(np.diff(samples, prepend=0, append=0)).max() < 1.2 * slope


def test_back_at_its_own_speed_the_next_clause_is_left_as_it_is():
    ring = pieces_of(tone(20)) + pieces_of(tone(3), number=2)
    middle = ring[-2].payload
    heard = play_out(Playout(PREFILL_FRAMES), ring, lambda tick: 1.2 if tick < 10 else 1.0)
    assert [piece.payload for piece in heard if piece.clause == 2][1] == middle


@pytest.mark.parametrize("speed", [1.01, 1.25])
@pytest.mark.parametrize("frames", [1, 2, 3, 7, 20])
def test_faster_an_underrun_fades_out_without_a_step_and_loses_nothing(speed, frames):
    """A level that never changes is told by its samples: what is heard of it, and how it goes away."""
    playout = Playout(prefill_frames=1)
    playout.speed = speed
    push(playout, clause(frames + 5)[:frames])
    heard = [piece for _ in range(frames + 5) if (piece := playout.tick())]
    samples = np.concatenate([np.frombuffer(piece.payload, "<i2") for piece in heard]).astype(int)
    assert np.abs(np.diff(samples, append=0)).max() < 1_000
    assert np.count_nonzero(samples > 5_000) >= frames * FRAME_SAMPLES / (speed + 0.01) - FRAME_SAMPLES
    assert (playout.underruns, playout.queued) == (1, 0)


def test_faster_an_underrun_goes_on_to_the_last_sample_there_is():
    playout = Playout(prefill_frames=1)
    playout.speed = 1.25
    rising = np.arange(8 * FRAME_SAMPLES) * 10
    push(playout, pieces_of(rising)[:7])
    *_, before, faded = [np.frombuffer(piece.payload, "<i2") for _ in range(8) if (piece := playout.tick())]
    assert faded[0] > before[-1]
    assert np.abs(np.diff(np.concatenate((before, faded)))).max() < 200


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=5),
    st.lists(st.integers(0, 4), max_size=60),
    st.lists(st.sampled_from([1.0, 1.03, 1.25]), min_size=1, max_size=20),
)
def test_at_whatever_speed_all_clauses_are_heard_in_order(lengths, pace, speeds):
    """`pace`: how many frames become ready in each tick; the rest comes at the end."""
    ready = [piece for number, frames in enumerate(lengths, start=1) for piece in clause(frames, number)]
    playout, ring, heard = Playout(PREFILL_FRAMES), [], []
    for tick, count in enumerate([*pace, len(ready), *[0] * 2 * len(ready)]):
        ring, ready = ring + ready[:count], ready[count:]
        playout.speed = speeds[tick // 3 % len(speeds)]
        while ring and playout.wanted > 0:
            playout.push(ring.pop(0))
        before = playout.queued
        if piece := playout.tick():
            heard.append(piece)
        assert playout.queued <= before
    assert playout.queued == 0
    assert [piece.clause for piece in heard if piece.first] == list(range(1, len(lengths) + 1))
    assert [piece.clause for piece in heard if piece.last] == list(range(1, len(lengths) + 1))
    loud = sum(np.count_nonzero(np.frombuffer(piece.payload, "<i2")) for piece in heard)
    assert loud >= sum(lengths) * FRAME_SAMPLES / 1.3 - len(lengths) * FRAME_SAMPLES


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=6),
    st.lists(st.integers(0, 5), max_size=60),
    st.integers(0, 8),
)
def test_whatever_the_synthesizers_pace_every_piece_is_played_once_in_order(lengths, pace, prefill_frames):
    """`pace`: how many frames become ready in each tick; the rest comes at the end."""
    ready = [piece for number, frames in enumerate(lengths, start=1) for piece in clause(frames, number)]
    marks = [np.full(FRAME_SAMPLES, i, "<i2").tobytes() for i in range(100, 100 + len(ready))]
    marked = [msgspec.structs.replace(piece, payload=mark) for piece, mark in zip(ready, marks, strict=True)]
    playout = Playout(prefill_frames)
    ring, heard = [], []
    for count in [*pace, len(marked), *[0] * 3 * len(marked)]:
        ring, marked = ring + marked[:count], marked[count:]
        while ring and playout.wanted > 0:
            playout.push(ring.pop(0))
        underruns = playout.underruns
        played = playout.tick()
        if played and playout.underruns == underruns:
            heard.append(played)
    middles = [int(np.frombuffer(played.payload, "<i2")[FRAME_SAMPLES // 2]) for played in heard]
    assert middles == list(range(100, 100 + len(ready)))
    assert [played.clause for played in heard if played.first] == list(range(1, len(lengths) + 1))
