"""Durations, histograms, the last minute: what ops makes of what it is told. All of it is pure."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from told import first_audio, spoken, translation

from appliance.frames.layout import MEASURES_WORDS
from appliance.frames.messages import HealthEvent
from appliance.ops.history import REMEMBERED, History
from appliance.ops.measures import BOUNDS_S, DURATIONS, Measures
from appliance.ops.stillness import Stillness
from appliance.ops.timings import Duration, Timing, Timings
from appliance.ops.window import WINDOW_NS, Totals, Window
from appliance.units import NS_PER_S


def durations(*entries: Timing) -> dict[str, list[float]]:
    timings, found = Timings(), dict[str, list[float]]()
    for entry in entries:
        for duration in timings.take(entry):
            found.setdefault(duration.name, []).append(pytest.approx(duration.seconds))
    return found


def test_one_sentence_gives_each_duration_once():
    assert durations(translation(0, 7), spoken(0, 7, 150.0), first_audio(0, 7, 640)) == {
        "asr": [0.2],
        "mt": [0.03],
        "tts": [0.15],
        "asr_to_tts_gap": [0.18],
        "chain_latency": [0.64],
    }


def test_a_segment_that_two_lanes_translate_was_recognised_once():
    found = durations(translation(0, 7), translation(1, 7, mt_ms=40.0), spoken(1, 7, 100.0), spoken(0, 7, 100.0))
    assert found["asr"] == [0.2]
    assert found["mt"] == [0.03, 0.04]
    assert found["asr_to_tts_gap"] == [0.14, 0.13]


def test_of_a_segment_in_pieces_the_first_words_count():
    found = durations(
        translation(0, 7, revision=1),
        spoken(0, 7, 100.0),
        first_audio(0, 7, 500),
        translation(0, 7, revision=2, mt_ms=90.0),
        spoken(0, 7, 300.0, clause=1),
        first_audio(0, 7, 900, clause=1),
    )
    assert found["asr"] == [0.2, 0.2], "each revision was recognised"
    assert found["tts"] == [0.1, 0.3], "each clause was spoken"
    assert found["asr_to_tts_gap"] == [0.13]
    assert found["chain_latency"] == [0.5]


def test_what_was_spoken_before_anybody_looked_has_no_gap():
    assert list(Timings().take(spoken(0, 7, 100.0))) == [Duration("tts", 0.1)]


@pytest.fixture
def words() -> memoryview:
    return memoryview(bytearray(MEASURES_WORDS * 8)).cast("Q")


@given(st.lists(st.tuples(st.sampled_from(DURATIONS), st.floats(0, 100)), max_size=50))
def test_a_histogram_counts_what_it_was_given(given_durations):
    measures = Measures(memoryview(bytearray(MEASURES_WORDS * 8)).cast("Q"))
    for name, seconds in given_durations:
        measures.observe(name, seconds)
    for name in DURATIONS:
        mine = [seconds for each, seconds in given_durations if each == name]
        seen = measures.histogram(name)
        assert seen.count == len(mine)
        assert seen.sum_s == pytest.approx(sum(mine), abs=1e-6 * (len(mine) + 1))
        assert list(seen.up_to[:-1]) == [sum(seconds <= bound for seconds in mine) for bound in BOUNDS_S]


def test_a_restart_goes_on_counting(words):
    before = Measures(words)
    before.observe("tts", 0.2)
    before.count_event()
    after = Measures(words)
    after.observe("tts", 0.3)
    assert (after.histogram("tts").count, after.histogram("tts").sum_s) == (2, 0.5)
    assert after.events == 1


def test_the_last_minute_in_five_figures():
    window = Window()
    for second in range(0, 121, 10):
        window.count(Totals(frames=second * 100, results=second, errors=second // 40), second * NS_PER_S)
    window.observe("chain_latency", 9.0, 59 * NS_PER_S)  # too long ago
    for seconds in (0.5, 0.7, 3.0):
        window.observe("chain_latency", seconds, 100 * NS_PER_S)
    report = window.report(active_sessions=2, now_ns=120 * NS_PER_S)
    assert report.as_text().splitlines() == [
        "chain_latency_ms: 700.0",
        "asr_to_tts_gap_ms: -",
        "active_sessions: 2",
        "frames_per_sec: 100.0",
        "error_rate_pct: 3.23",  # 2 of 62
    ]


def test_an_appliance_that_has_just_been_started_has_no_rates():
    window = Window()
    window.count(Totals(frames=500), now_ns=0)
    report = window.report(0, now_ns=1)
    assert (report.frames_per_sec, report.error_rate_pct, report.chain_latency_ms) == (0.0, 0.0, None)


def test_the_window_forgets():
    window = Window()
    window.count(Totals(errors=0), 0)
    window.count(Totals(errors=5), 1)
    assert window.report(0, 1).error_rate_pct == 100.0
    for now_ns in (WINDOW_NS, 2 * WINDOW_NS):
        window.count(Totals(errors=5), now_ns)
    assert window.report(0, 2 * WINDOW_NS).error_rate_pct == 0.0


def test_the_window_forgets_also_while_nobody_looks():
    window = Window()
    for second in range(300):
        window.observe("tts", 0.2, second * NS_PER_S)
    assert len(window._durations["tts"]) == 61


@pytest.mark.parametrize(
    ("positions", "still"),
    [
        ([{"a": 1}, {"a": 2}, {"a": 3}], 0),
        ([{"a": 1}, {"a": 1}, {"a": 1}], 1),
        ([{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 3}], 1),
        ([{"a": 1}, {"a": 1}, {"a": 2}], 0),
        ([{"a": 1}, {}, {"a": 1}], 0),  # another call at the same place
        ([{"a": 1}, {"a": 1}, {}], 0),
    ],
)
def test_what_stands_still_too_long_is_noticed(positions, still):
    stillness = Stillness[str](limit_ns=15)
    seen = [stillness.look(each, now_ns=10 * turn) for turn, each in enumerate(positions)]
    assert seen == [0, 0, still]


def test_the_last_thousand_events_are_remembered():
    history = History()
    for number in range(1, REMEMBERED + 6):
        history.add(number, HealthEvent("rtp", "up", "ready", ts_ns=number, session_id="r1", lag_ms=2.5))
    assert [event.id for event in history.after()] == list(range(6, REMEMBERED + 6))
    assert [event.id for event in history.after(REMEMBERED + 3)] == [REMEMBERED + 4, REMEMBERED + 5]
    assert history.after(REMEMBERED + 5) == []
    assert len(history.after(10**6)) == REMEMBERED, "a number from before the machine was booted"
    event = msgspec.to_builtins(history.after()[0])
    assert event.keys() == {"id", "session_id", "component", "status", "lag_ms", "action", "ts"}
    assert event["ts"].endswith("Z")
