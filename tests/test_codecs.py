"""What the wire carries: L16 in, G.722 out."""

import struct

import G722
import numpy as np
import pytest

from appliance.media.codecs import G722_64K, L16, G722Encoder, decode_l16, pcm_of, samples_of
from appliance.units import FRAME_BYTES, FRAME_SAMPLES, SAMPLE_RATE_HZ


def tone(frequency_hz: float, seconds: float, level: float = 0.3) -> np.ndarray:
    return (
        level * np.sin(2 * np.pi * frequency_hz * np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ)
    ).astype(np.float32)


def frames_of(pcm: bytes) -> list[bytes]:
    return [pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm), FRAME_BYTES)]


def test_l16_is_big_endian_on_the_wire_and_little_endian_in_a_frame():
    assert decode_l16(struct.pack(">4h", 1, -2, 32767, -32768)) == struct.pack("<4h", 1, -2, 32767, -32768)


def test_half_a_sample_is_refused():
    with pytest.raises(ValueError, match="multiple"):
        decode_l16(b"\x00\x01\x02")


def test_the_payload_types_are_those_of_the_rfc_and_of_asterisk():
    assert (L16.number, L16.clock_hz, L16.frame_bytes) == (118, 16_000, FRAME_BYTES)
    assert (G722_64K.number, G722_64K.clock_hz, G722_64K.frame_ticks) == (9, 8_000, 160)


@pytest.mark.parametrize("frequency_hz", [300, 1_000, 3_400, 6_500])
def test_speech_survives_g722_in_its_whole_band(frequency_hz):
    sent = tone(frequency_hz, 0.4)
    encoder = G722Encoder()
    packets = [encoder.encode(frame) for frame in frames_of(pcm_of(sent))]
    assert {len(packet) for packet in packets} == {G722_64K.frame_bytes}
    decoder = G722.G722(16_000, 64_000)
    heard = np.array([sample for packet in packets for sample in decoder.decode(packet)], np.float32)
    spectrum = np.abs(np.fft.rfft(heard[FRAME_SAMPLES:]))
    assert abs(np.argmax(spectrum) * SAMPLE_RATE_HZ / len(heard[FRAME_SAMPLES:]) - frequency_hz) < 10
    assert 0.8 < np.std(heard[FRAME_SAMPLES:]) / 32768 / np.std(sent) < 1.2


def test_samples_and_pcm_are_the_same_thing():
    pcm = np.arange(-32768, 32768, 7, dtype="<i2").tobytes()
    assert pcm_of(samples_of(pcm)) == pcm


def test_what_is_louder_than_full_scale_is_clipped():
    assert pcm_of(np.array([2, -2, 1, -1, 0], np.float32)) == struct.pack("<5h", 32767, -32768, 32767, -32768, 0)
