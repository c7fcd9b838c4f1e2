"""The rtp process itself: a real worker over real shared memory, with real packets on the loopback."""

import itertools
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import G722
import numpy as np
import pytest
from rtp_box import CALL, PATIENCE_S, RtpBox, udp, until

from appliance import clock
from appliance.frames.messages import FirstAudio, HealthEvent, LogLine, clause_stream
from appliance.frames.ring import CONCEALED, DISCONTINUITY, END, START, Frame
from appliance.frames.roster import Lane, Roster
from appliance.media.rtp import Packet, parse, serialise
from appliance.media.tone import NOTE_FRAMES
from appliance.supervision.vitals import State, Vitals, breaker_word
from appliance.units import FRAME_BYTES, FRAME_MS, FRAME_SAMPLES, NS_PER_S


@pytest.fixture
def box(tmp_path: Path) -> Iterator[RtpBox]:
    box = RtpBox.make(tmp_path)
    yield box
    box.close()


def clause(frames: int, level: int = 8_000) -> bytes:
    samples = level * np.sin(2 * np.pi * 440 * np.arange(frames * FRAME_SAMPLES) / 16_000)
    return samples.astype("<i2").tobytes()


def decoded(packets: list[Packet]) -> np.ndarray:
    decoder = G722.G722(16_000, 64_000)
    return np.array([sample for packet in packets for sample in decoder.decode(packet.payload)])


def test_speech_becomes_frames_and_wakes_its_reader(box):
    box.memory.write_roster(box.one_call())
    box.start()
    uplink = box.memory.reader("uplink", 0)
    frames: list[Frame] = []
    bell = box.memory.doorbell("asr")
    box.speak(0, 1, 2, 4, 3, 5, 8, 9)

    def all_came() -> bool:
        bell.wait(0.1)
        frames.extend(uplink.pop_many(100))
        return len(frames) >= 10

    until(all_came)
    assert [frame.flags for frame in frames] == [DISCONTINUITY, 0, 0, 0, 0, 0, CONCEALED, CONCEALED, 0, 0]
    expected = [i * (i not in (6, 7)) for i in range(10)]
    assert [frame.payload for frame in frames] == [struct.pack("<h", i) * FRAME_SAMPLES for i in expected]
    until(lambda: box.vitals.get("concealed_frames") == 2)
    assert (box.vitals.get("packets_in"), box.vitals.get("uplink_frames")) == (8, 10)
    assert box.vitals.get("reordered") == 1


def test_packets_from_anywhere_else_are_counted_and_not_heard(box):
    box.memory.write_roster(box.one_call())
    box.start()
    with udp() as stranger:
        for _ in range(3):
            stranger.sendto(serialise(Packet(118, 0, 0, 7, bytes(FRAME_BYTES))), box.media.getsockname())
    box.booth.sendto(bytes(100), box.media.getsockname())
    box.ear.sendto(b"garbage", box.media.getsockname())
    until(lambda: box.vitals.get("garbage") == 1)
    assert box.vitals.get("strangers") == 3
    assert box.memory.reader("uplink", 0).depth == 0
    [line] = [entry for entry in box.journal() if isinstance(entry, LogLine)]
    assert "shorter than the fixed header" in line.text


def test_clauses_are_heard_as_g722_and_the_first_audio_of_each_is_told(box):
    box.memory.write_roster(box.one_call())
    box.start()
    spoken_ns = clock.now_ns() - NS_PER_S
    downlink = box.memory.writer("downlink", 0)
    downlink.push_many(clause(20), stream=clause_stream(5, 0), capture_ns=spoken_ns, timestamp=CALL, flags=START | END)
    first = box.heard()
    downlink.push_many(clause(5), stream=clause_stream(5, 1), capture_ns=spoken_ns, timestamp=CALL, flags=START | END)
    second = box.heard()
    packets = first + second
    assert [packet.marker for packet in packets] == [True] + [False] * 19 + [True] + [False] * 4
    assert {(packet.payload_type, packet.ssrc, len(packet.payload)) for packet in packets} == {(9, first[0].ssrc, 160)}
    steps = [(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in itertools.pairwise(packets)]
    assert all(step % 160 == 0 for step in steps)
    assert steps[19] > 160 * 20  # the clock has gone on in the silence between
    places = [(packet.sequence - first[0].sequence) & 0xFFFF for packet in packets]
    assert places == [((packet.timestamp - first[0].timestamp) & 0xFFFFFFFF) // 160 for packet in packets]
    sent = np.frombuffer(clause(20), "<i2")
    assert 0.9 < np.std(decoded(first)[1000:-1000]) / np.std(sent) < 1.1
    told = [entry for entry in box.journal() if isinstance(entry, FirstAudio)]
    assert [(of.lane, of.seq_num, of.clause) for of in told] == [(0, 5, 0), (0, 5, 1)]
    assert all(of.chain_ns == of.sent_ns - spoken_ns > NS_PER_S for of in told)


def test_the_original_is_heard_softly(box):
    box.memory.write_roster(box.one_call())
    box.start()
    for number in range(10_000, 10_040):
        box.speak(number)
        time.sleep(FRAME_MS / 1000)
    heard = decoded(box.heard())
    assert np.median(heard) == pytest.approx(10_000 * 10 ** (-18 / 20), rel=0.1)


def test_off_the_original_is_not_heard(box):
    box.config_path.write_text(box.config_path.read_text() + '[media]\nunder_talk_db = "off"\n')
    box.memory.write_roster(box.one_call())
    box.start()
    for number in range(10_000, 10_010):
        box.speak(number)
        time.sleep(FRAME_MS / 1000)
    assert box.heard(patience_s=0.2) == []


def loudness(packets: list[Packet]) -> np.ndarray:
    """The median sample of each 20 ms, for speech that is all of one level."""
    return np.median(decoded(packets).reshape(-1, FRAME_SAMPLES), axis=1)


def speak_on(box: RtpBox, times: int) -> list[Packet]:
    """The same sound, 50 times a second; returns what the booth hears of it."""
    for _ in range(times):
        box.speak_level(6_000)
        time.sleep(FRAME_MS / 1000)
    return box.heard()


def events(box: RtpBox) -> list[HealthEvent]:
    return [entry for entry in box.journal() if isinstance(entry, HealthEvent)]


@pytest.mark.parametrize("under_talk", ["-18.0", '"off"'])
def test_while_nobody_can_interpret_the_original_is_heard_at_full_level_and_softly_again_afterwards(box, under_talk):
    box.config_path.write_text(box.config_path.read_text() + f"[media]\nunder_talk_db = {under_talk}\n")
    box.memory.write_roster(box.one_call())
    tts = Vitals(box.memory.vitals("tts"))
    tts.state = State.WAITING
    box.start()
    down = loudness(speak_on(box, 75))
    assert down[-10:] == pytest.approx(6_000, rel=0.05)
    until(lambda: box.vitals.get("lanes_degraded") == 1)
    assert [(event.component, event.status, event.session_id) for event in events(box)] == [("lane", "DEGRADED", "r1")]
    tts.state = State.UP
    up = loudness(speak_on(box, 100))
    assert [event.status for event in events(box)] == ["DEGRADED", "RESTORED"]
    assert up.max() == pytest.approx(6_000, rel=0.1)
    assert up[-1] < 1_000
    until(lambda: box.vitals.get("lanes_degraded") == 0)


def test_going_down_is_announced_and_need_not_be(box):
    box.memory.write_roster(box.one_call())
    Vitals(box.memory.vitals("mt")).set("breakers", breaker_word([2]))
    box.start()
    assert len(box.heard()) == 2 * NOTE_FRAMES
    box.kill()
    box.config_path.write_text(box.config_path.read_text() + '[media]\nannounce_db = "off"\n')
    box.start()
    until(lambda: len(events(box)) == 1)
    assert box.heard(patience_s=0.3) == []


def test_what_was_translated_before_is_said_to_its_end_and_who_is_heard_again_is_back(box):
    box.memory.write_roster(box.one_call())
    box.memory.writer("downlink", 0).push_many(clause(60), capture_ns=clock.now_ns(), timestamp=CALL, flags=START | END)
    Vitals(box.memory.vitals("tts")).state = State.WAITING
    box.start()
    assert len(box.heard()) == 60 + 2 * NOTE_FRAMES
    box.memory.writer("downlink", 0).push_many(clause(20), timestamp=CALL, flags=START | END)
    box.heard()
    assert [event.status for event in events(box)] == ["DEGRADED", "RESTORED", "DEGRADED"]


def test_two_lanes_are_heard_together(box):
    roster = box.one_call()
    lanes = (Lane(0, 1, 0, "pt-br", booth=0), Lane(1, 1, 1, "pt-br", booth=0))
    box.memory.write_roster(Roster(roster.legs, lanes, roster.booths))
    for place in (0, 1):
        box.memory.writer("downlink", place).push_many(clause(10, level=5_000), timestamp=CALL, flags=START | END)
    box.start()
    packets = box.heard()
    assert len(packets) == 10
    assert np.max(decoded(packets)[1000:-1000]) > 9_000


def test_a_killed_process_goes_on_where_it_was(box):
    """At most the frame that was on its way out at that instant is sent again."""
    box.memory.write_roster(box.one_call())
    box.start()
    box.memory.writer("downlink", 0).push_many(clause(20), stream=1, timestamp=CALL, flags=START | END)
    box.speak(0, 1, 2)
    before = [parse(box.booth.recv(2048)) for _ in range(3)]
    box.kill()
    box.speak(3, 4, 5)
    box.start()
    after = box.heard()
    assert len(before) + len(after) in (20, 21)
    assert after[0].marker
    assert after[0].ssrc == before[0].ssrc
    assert 0 < (after[0].sequence - before[-1].sequence) & 0xFFFF < 1000  # Asterisk would drop what is behind
    uplink = box.memory.reader("uplink", 0)
    until(lambda: uplink.depth == 6)
    assert [frame.timestamp // FRAME_SAMPLES for frame in uplink.pop_many(10)] == [0, 1, 2, 3, 4, 5]
    assert len([entry for entry in box.journal() if isinstance(entry, FirstAudio)]) == 1


def test_what_a_call_left_behind_is_not_heard_in_the_next(box):
    box.memory.write_roster(box.one_call())
    box.start()
    downlink = box.memory.writer("downlink", 0)
    downlink.push_many(clause(500), stream=1, timestamp=CALL, flags=START | END)
    box.booth.recv(2048)
    box.memory.write_roster(box.one_call(call=2))
    assert len(box.heard(patience_s=0.5)) < 400
    downlink.push_many(clause(3), stream=2, timestamp=2, flags=START | END)
    assert len(box.heard()) == 3


def test_what_a_call_left_behind_is_not_heard_even_if_the_process_was_away_when_it_ended(box):
    box.memory.write_roster(box.one_call())
    box.start()
    box.memory.writer("downlink", 0).push_many(clause(500), stream=1, timestamp=CALL, flags=START | END)
    box.booth.recv(2048)
    box.kill()
    box.heard()
    box.memory.write_roster(box.one_call(call=2))
    box.start()
    box.memory.writer("downlink", 0).push_many(clause(3), stream=2, timestamp=2, flags=START | END)
    assert len(box.heard()) == 3


def test_a_lane_waits_for_its_booth(box):
    roster = box.one_call()
    box.memory.write_roster(Roster(roster.legs, roster.lanes))
    box.start()
    box.memory.writer("downlink", 0).push_many(clause(5), timestamp=CALL, flags=START | END)
    ticks = box.vitals.heartbeat_ns
    until(lambda: box.vitals.heartbeat_ns > ticks + NS_PER_S // 10)
    box.memory.write_roster(roster)
    assert len(box.heard()) == 5


def test_it_stops_when_told_and_says_how_punctual_it_was(box):
    box.memory.write_roster(box.one_call())
    box.start()
    until(lambda: box.vitals.get("tick_late_max_us"))
    assert box.vitals.get("realtime") in (0, 1)
    box.spawned.popen.terminate()
    assert box.spawned.popen.wait(PATIENCE_S) == 0
