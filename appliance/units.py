"""The units of the house: what a frame is, in samples, bytes and nanoseconds."""

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000

SAMPLE_RATE_HZ = 16_000
FRAME_MS = 20
FRAME_NS = FRAME_MS * NS_PER_MS
FRAME_SAMPLES = SAMPLE_RATE_HZ * FRAME_MS // 1000
FRAME_BYTES = FRAME_SAMPLES * 2
FRAMES_PER_S = 1000 // FRAME_MS
