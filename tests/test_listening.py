"""A leg's sound kept as long as it is needed, and listened to window by window."""

import numpy as np
import pytest
from fakes.tones import LoudnessDetector
from recordings import prompt

from appliance.config import Config
from appliance.engines.protocols import Samples
from appliance.engines.registry import load_voice_detector
from appliance.speech.endpointing import EndpointPolicy
from appliance.speech.trimming import trimmed
from appliance.stages.listening import Listener
from appliance.stages.sound import Sound
from appliance.units import FRAME_BYTES, FRAME_NS, FRAME_SAMPLES, NS_PER_MS, SAMPLE_RATE_HZ

BEGAN_NS = 5_000_000_000
FIRST_SEQ_NUM = 70


class Recording:
    """A sound that grows."""

    def __init__(self) -> None:
        self.sound = Sound()
        self._frames = 0

    def add(self, samples: Samples) -> None:
        pcm = (samples * 32_767).astype("<i2").tobytes()
        for first in range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES):
            at_ns = BEGAN_NS + self._frames * FRAME_NS
            self.sound.append(pcm[first : first + FRAME_BYTES], at_ns, FIRST_SEQ_NUM + self._frames)
            self._frames += 1


def tone(loudness: float, duration_ms: int) -> Samples:
    return np.full(SAMPLE_RATE_HZ * duration_ms // 1000, loudness, np.float32)


def test_a_sound_knows_when_each_sample_was_spoken_and_which_frame_it_came_in() -> None:
    recording = Recording()
    recording.add(tone(0.5, 1000))
    sound = recording.sound
    assert (sound.time_ns(0), sound.time_ns(8_000)) == (BEGAN_NS, BEGAN_NS + 500 * NS_PER_MS)
    assert [sound.sample_at(sound.time_ns(sample)) for sample in (0, 319, 320, 7_777)] == [0, 319, 320, 7_777]
    assert sound.seq_num(7_777) == FIRST_SEQ_NUM + 7_777 // FRAME_SAMPLES


def test_what_is_forgotten_keeps_its_numbers() -> None:
    recording = Recording()
    recording.add(tone(0.1, 500))
    recording.add(tone(0.6, 500))
    sound = recording.sound
    sound.forget(before=8_100)
    assert (sound.first, sound.end) == (8_000, 16_000)
    assert sound.samples(0, 8_100) == pytest.approx(0.6, abs=0.001)
    assert sound.sample_at(sound.time_ns(9_000)) == 9_000
    sound.forget(before=99_000)
    assert sound.end == 16_000
    assert sound.seq_num(16_000) == FIRST_SEQ_NUM + 49  # the newest is kept: it says where we are


def test_times_where_frames_are_missing_are_those_of_the_frames_there_are() -> None:
    sound = Sound()
    for frame, at_ms in enumerate((0, 20, 500, 520)):
        sound.append(bytes(FRAME_BYTES), BEGAN_NS + at_ms * NS_PER_MS, frame)
    assert sound.time_ns(2 * FRAME_SAMPLES) == BEGAN_NS + 500 * NS_PER_MS
    assert sound.sample_at(BEGAN_NS + 300 * NS_PER_MS) == 2 * FRAME_SAMPLES
    assert sound.sample_at(BEGAN_NS + 510 * NS_PER_MS) == 2 * FRAME_SAMPLES + FRAME_SAMPLES // 2


def test_a_listener_waits_at_the_end_of_an_utterance_until_it_was_taken_care_of() -> None:
    recording, listener = Recording(), Listener(LoudnessDetector(), EndpointPolicy())
    for _ in range(2):
        recording.add(tone(0.5, 640))
        recording.add(tone(0.0, 800))
    while listener.hear(recording.sound):
        pass
    assert listener.over is not None
    first_end = listener.sample(listener.over.end)
    assert listener.voiced_share(0, first_end) == 1.0
    listener.over = None
    while listener.hear(recording.sound):
        pass
    assert listener.over is not None
    assert listener.sample(listener.over.start) >= first_end
    assert 0.4 <= listener.voiced_share(0, listener.heard_to) <= 0.6


def test_the_first_word_after_a_long_silence_is_heard_whole() -> None:
    recording, listener = Recording(), Listener(load_voice_detector(Config()), EndpointPolicy())
    for _ in range(15):
        recording.add(tone(0.0, 1000))
        while listener.hear(recording.sound):
            assert listener.over is None
    recording.add(trimmed(prompt("vm-nobodyavail"), SAMPLE_RATE_HZ))
    recording.add(tone(0.0, 800))
    while listener.hear(recording.sound):
        pass
    assert listener.over is not None
    assert 100 <= 15_000 - 1000 * listener.sample(listener.over.start) / SAMPLE_RATE_HZ <= 300
