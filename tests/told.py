"""What processes tell about one sentence: messages for tests."""

from appliance.frames.messages import FirstAudio, Segment, Spoken, Translation
from appliance.units import NS_PER_MS


def translation(lane: int, seq_num: int, revision: int = 1, asr_ms: float = 200.0, mt_ms: float = 30.0) -> Translation:
    source = Segment(0, 1, seq_num, revision, True, 0, 1, "en", "hello", asr_ms)
    return Translation(lane, seq_num, revision, True, source, "pt-br", "olá", mt_ms)


def spoken(lane: int, seq_num: int, tts_first_ms: float, clause: int = 0) -> Spoken:
    return Spoken(lane, seq_num, clause, "olá", 0, 1, tts_first_ms, tts_ms=400.0, frames=9)


def first_audio(lane: int, seq_num: int, chain_ms: int, clause: int = 0) -> FirstAudio:
    return FirstAudio(lane, seq_num, clause, sent_ns=5, chain_ns=chain_ms * NS_PER_MS)
