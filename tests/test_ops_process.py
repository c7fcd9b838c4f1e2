"""The process `ops` itself, in an appliance of toys: asked over HTTP, killed, and refused its port."""

import http.client
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from ops_box import OpsBox
from told import first_audio, spoken, translation

from appliance.frames.memory import Memory
from appliance.frames.roster import Address, Booth, Lane, Leg, Roster
from appliance.frames.text import TextWriter
from appliance.supervision.vitals import Vitals, breaker_word, reason_word

ASTERISK = Address("127.0.0.1", 9)


@pytest.fixture
def box(tmp_path) -> Iterator[OpsBox]:
    made = OpsBox(tmp_path, rtp="steady", asr="steady", mt="steady", tts="steady", calls="steady")
    yield made
    made.end()


@contextmanager
def inside(box: OpsBox) -> Iterator[Memory]:
    """The shared memory of the box, to play its toys' part."""
    memory = Memory.attach(box.instance)
    yield memory
    memory.close()


def one_call(booth: Address | None = ASTERISK) -> Roster:
    return Roster(
        legs=(Leg(0, 1, "r1", "en", ASTERISK),),
        lanes=(Lane(0, 1, 0, "pt-br", 0),),
        booths=(Booth(0, "r1", "pt-br", booth),),
    )


def interpret(memory: Memory, seq_num: int = 1, chain_ms: int = 640) -> None:
    """What the journals hold after one sentence."""
    for process, entry in (
        ("mt", translation(0, seq_num)),
        ("tts", spoken(0, seq_num, 150.0)),
        ("rtp", first_audio(0, seq_num, chain_ms)),
    ):
        TextWriter(memory.writer("journal", process)).write(entry)


def test_metrics_show_what_is_in_shared_memory(box):
    box.start().wait_until_up()
    with inside(box) as memory:
        memory.write_roster(one_call())
        memory.writer("uplink", 0).push_many(bytes(640 * 50))
        Vitals(memory.vitals("rtp")).add("uplink_frames", 50)
        Vitals(memory.vitals("rtp")).add("strangers", 3)
        Vitals(memory.vitals("mt")).add("engine_errors", 2)
        Vitals(memory.vitals("tts")).set("breakers", breaker_word([0, 2]))
        Vitals(memory.vitals("tts")).set("stock_legs", reason_word([0, 3, 0, 0, 0, 0, 0, 999]))
        Vitals(memory.vitals("voices")).set("strange_legs", 2)
        interpret(memory)
        box.until(lambda: box.metric("dragoman_chain_latency_seconds_count") == 1, "the first audio")
    assert box.metric('dragoman_frames_total{direction="uplink"}') == 50
    assert box.metric('dragoman_drops_total{queue="input",reason="stranger"}') == 3
    assert box.metric('dragoman_errors_total{stage="mt"}') == 2
    engines = (
        box.metric('dragoman_engine_breaker_state{engine="piper",stage="tts"}'),
        box.metric('dragoman_engine_breaker_state{engine="kokoro",stage="tts"}'),
    )
    assert engines == (0, 2)
    for reason, legs in {"missing": 0, "damaged": 3, "no_cloning": 255, "mismatch": 2}.items():
        assert box.metric(f'dragoman_legs_in_stock_voice{{reason="{reason}"}}') == legs
    assert box.metric("dragoman_sessions") == box.metric("dragoman_legs") == box.metric("dragoman_lanes") == 1
    assert box.metric('dragoman_lag_seconds{stage="asr"}') == 1.0
    assert box.metric('dragoman_queue_depth{queue="uplink"}') == 50
    assert box.metric('dragoman_chain_latency_seconds_bucket{le="0.6"}') == 0
    assert box.metric('dragoman_chain_latency_seconds_bucket{le="0.8"}') == 1
    assert box.metric("dragoman_asr_to_tts_gap_seconds_sum") == pytest.approx(0.18)
    assert box.metric('dragoman_stage_seconds_sum{stage="asr"}') == pytest.approx(0.2)
    assert box.metric('dragoman_process_up{process="rtp"}') == 1
    assert box.metric('dragoman_free_bytes{place="shm"}') > 0
    assert box.metric('dragoman_resident_bytes{process="ops"}') > 1e6
    report = box.ask("/health/report")[1].splitlines()
    assert report[:3] == ["chain_latency_ms: 640.0", "asr_to_tts_gap_ms: 180.0", "active_sessions: 1"]


def test_labels_name_nobody(box):
    box.start().wait_until_up()
    with inside(box) as memory:
        memory.write_roster(one_call())
        interpret(memory)
        box.until(lambda: box.metric("dragoman_sessions") == 1, "the call")
    assert "r1" not in box.ask("/metrics")[1]
    assert box.instance not in box.ask("/metrics")[1]


def test_a_killed_ops_counts_on_and_nothing_else_notices(box):
    box.start().wait_until_up()
    before = box.pids()
    with inside(box) as memory:
        interpret(memory, seq_num=1)
        box.until(lambda: box.metric("dragoman_chain_latency_seconds_count") == 1, "the first audio")
        events = box.json("/events")
        os.kill(before["ops"], signal.SIGKILL)
        box.wait_for(2, component="ops", status="up")
        interpret(memory, seq_num=2, chain_ms=1000)
        box.until(lambda: box.metric("dragoman_chain_latency_seconds_sum") == 1.64, "the second, and the first once")
    assert box.metric('dragoman_restarts_total{process="ops"}') == 1
    assert box.json("/events")[: len(events)] == [
        {**event, "ts": again["ts"]} for event, again in zip(events, box.json("/events"), strict=False)
    ]
    assert box.metric("dragoman_health_events_total") == len(box.json("/events"))
    assert {name: pid for name, pid in box.pids().items() if name != "ops"} == {
        name: pid for name, pid in before.items() if name != "ops"
    }


def test_ready_names_what_is_missing(box):
    box.toys["asr"] = "crashing"
    box.start()
    box.wait_for(component="asr", action="open circuit")
    box.wait_for(component="ops", status="up")
    assert box.ask("/health/live") == (200, "live\n")
    assert box.ask("/health/ready") == (503, "asr: circuit open\nasterisk: does not answer\n")
    assert box.metric('dragoman_circuit_open{process="asr"}') == 1


def test_ready_when_all_is_there(box):
    box.start().wait_until_up()
    with inside(box) as memory:
        Vitals(memory.vitals("calls")).set("asterisk_up", 1)
    assert box.ask("/health/ready") == (200, "ready\n")


def test_one_way_audio_is_noticed(box):
    box.start().wait_until_up()
    with inside(box) as memory:
        memory.write_roster(one_call(booth=None))
        box.until(lambda: box.metric("dragoman_legs_unheard") == 1, "the leg that nothing comes from")
        box.until(lambda: box.metric("dragoman_lanes_unspoken") == 1, "the lane that has no booth")
        memory.write_roster(Roster())
        box.until(lambda: box.metric("dragoman_legs_unheard") == 0, "the end of the call")


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/events?limit=many", 400, 'limit: "many" will not do; write a whole number from 1 to 1000'),
        ("/events?limit=0", 400, 'limit: "0" will not do; write a whole number from 1 to 1000'),
        ("/events?after=-1", 400, 'after: "-1" will not do; write a whole number from 0 on'),
        ("/events?last=5", 400, 'there is no "last" to ask /events for; there is limit, after'),
        ("/events/stream?after=x", 400, 'after: "x" will not do; write a whole number from 0 on'),
        ("/metric", 404, "there is no /metric here; there are /, /state, /metrics"),
    ],
)
def test_a_bad_question_gets_one_sentence(shared_box, path, status, sentence):
    answered, body = shared_box.ask(path)
    assert (answered, body.count("\n")) == (status, 1)
    assert body.startswith(sentence)


def test_nothing_can_be_changed(shared_box):
    assert shared_box.ask("/events", method="POST") == (405, "Method Not Allowed\n")


def test_events_are_given_in_order_and_in_part(shared_box):
    events = shared_box.json("/events")
    assert {"component": "rtp", "status": "up", "action": "ready"}.items() <= next(
        event for event in events if event["component"] == "rtp" and event["status"] == "up"
    ).items()
    assert [event["id"] for event in events] == sorted({event["id"] for event in events})
    assert shared_box.json("/events?limit=2") == events[-2:]
    assert shared_box.json(f"/events?after={events[2]['id']}") == events[3:]


def test_a_stream_goes_on_where_a_browser_lost_it(shared_box):
    events = shared_box.json("/events")
    connection = http.client.HTTPConnection("127.0.0.1", shared_box.ops_port, timeout=60)
    connection.request("GET", "/events/stream", headers={"last-event-id": str(events[0]["id"])})
    with connection.getresponse() as stream:
        assert stream.getheader("content-type").startswith("text/event-stream")
        assert stream.readline() == f"id: {events[1]['id']}\n".encode()
    connection.close()


def test_an_open_stream_does_not_hold_up_the_end(box):
    box.start().wait_until_up()
    connection = http.client.HTTPConnection("127.0.0.1", box.ops_port, timeout=60)
    connection.request("GET", "/events/stream")
    with connection.getresponse() as stream:
        stream.readline()
        assert box.stop() == 0
        stream.read()
    connection.close()
    assert not box.entries(component="ops", action="SIGUSR1"), "it had to be pushed"
    assert box.errors.read_text().startswith("first visit to ")
    assert len(box.errors.read_text().splitlines()) == 1


def test_a_taken_port_is_said_in_one_sentence_and_calls_go_on(box):
    with socket.create_server(("127.0.0.1", box.ops_port)):
        box.start()
        box.wait_for(component="ops", action="open circuit")
        box.wait_for(component="watchdog", status="up")
        assert [entry["text"] for entry in box.entries(process="ops")] == [
            f"cannot show metrics and events: TCP 127.0.0.1:{box.ops_port} (ops.host, ops.port) is used by another "
            "program; stop that one or choose another ops.port"
        ]


@pytest.fixture(scope="module")
def shared_box(tmp_path_factory) -> Iterator[OpsBox]:
    """One box for questions that leave no trace."""
    made = OpsBox(tmp_path_factory.mktemp("ops"), rtp="steady", calls="steady").start().wait_until_up()
    yield made
    made.end()
