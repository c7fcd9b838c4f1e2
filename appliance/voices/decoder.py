"""A process of its own that decodes the WAV or FLAC on its standard input, and can do little else.

It is run by its path (`intake.py` does), imports nothing of ours, and limits itself before it looks at the first byte:
a file that exploits or exhausts the decoder gets a process without room, time, files or children.

    decoder.py LONGEST_S MEMORY_BYTES CPU_S
    standard output: rate in Hz, channels (two little-endian 32-bit numbers), then mono float32 at that rate
    exit status 0, or 3 with a few words on standard error; anything else: it was stopped
"""

import os
import resource
import signal
import struct
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import soundfile

REFUSED = 3
HIGHEST_HZ = 48_000  # a recording with more is resampled: nothing above 24 kHz is heard
MOST_HZ = 384_000
LEAST_HZ = 4_000
MOST_CHANNELS = 8
BLOCK_FRAMES = 1 << 16
# Codecs that libsndfile knows inside WAV and that no recorder writes stay out: less to be attacked.
KINDS = {"WAV", "WAVEX", "RF64", "FLAC"}
CODECS = {"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"}


def main(longest_s: int, memory_bytes: int, cpu_s: int) -> None:
    """Decode, block by block."""
    limit(longest_s * HIGHEST_HZ * 4 + 4096, memory_bytes, cpu_s)
    import numpy as np  # noqa: PLC0415
    import soundfile  # noqa: PLC0415
    import soxr  # noqa: PLC0415

    try:
        sound = soundfile.SoundFile(0, closefd=False)
    except soundfile.LibsndfileError as error:
        refuse(str(error.error_string))
    check(sound, longest_s)
    rate_hz = min(sound.samplerate, HIGHEST_HZ)
    resampler = soxr.ResampleStream(sound.samplerate, rate_hz, 1, dtype="float32")
    out = sys.stdout.buffer
    out.write(struct.pack("<II", rate_hz, sound.channels))
    frames = 0
    while frames <= longest_s * sound.samplerate:
        block = sound.read(BLOCK_FRAMES, dtype="float32", always_2d=True)
        last = len(block) < BLOCK_FRAMES
        frames += len(block)
        mono = block.mean(axis=1, dtype=np.float32)
        if not np.isfinite(mono).all():
            refuse("it holds numbers that are no sound")
        mono = np.clip(mono, -1, 1)
        out.write((mono if rate_hz == sound.samplerate else resampler.resample_chunk(mono, last=last)).tobytes())
        if last:
            out.flush()
            return
    refuse("it is longer than its header says")


def limit(output_bytes: int, memory_bytes: int, cpu_s: int) -> None:
    """Give up everything that decoding does not need, for good: hard limits cannot be raised again."""
    for what, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, output_bytes),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (least, least))
    signal.alarm(2 * cpu_s)  # also where it waits instead of computing, and whoever started it has died


def check(sound: "soundfile.SoundFile", longest_s: int) -> None:
    """What the header promises."""
    if sound.format not in KINDS or sound.subtype not in CODECS:
        refuse(f"its coding {sound.format} {sound.subtype} is not accepted")
    if not LEAST_HZ <= sound.samplerate <= MOST_HZ:
        refuse(f"its sample rate of {sound.samplerate} Hz is not accepted")
    if not 1 <= sound.channels <= MOST_CHANNELS:
        refuse(f"its {sound.channels} channels are not accepted")
    if sound.frames > longest_s * sound.samplerate:
        refuse(f"it is longer than {longest_s} s")


def refuse(why: str) -> None:
    """End with a few words."""
    sys.stderr.write(why)
    sys.stderr.flush()
    os._exit(REFUSED)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
