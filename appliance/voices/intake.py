"""Audio from outside: WAV and FLAC, decoded in a process that a hostile file cannot get out of."""

import os
import signal
import stat
import struct
import subprocess
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from appliance.voices.arrays import Floats
from appliance.voices.errors import VoiceError

LONGEST_S = 600  # in all
MAX_FILE_BYTES = 1 << 30  # ten minutes of 24-bit stereo at 192 kHz are 0.7 GB

_DECODER = Path(__file__).with_name("decoder.py")
_MEMORY_BYTES = 1 << 30
_CPU_S = 60
_PATIENCE_S = 3 * _CPU_S
_REFUSED = 3  # decoder.REFUSED
_HEADER = struct.Struct("<II")
_WORDS = 120


class RecordingRefused(VoiceError):  # noqa: N818
    """A file is no recording that a voice could be made of; one sentence."""

    reason = "recording"


@dataclass(frozen=True, slots=True)
class Recording:
    """A decoded file: mono, float32 in -1 … 1, at its own rate (48 kHz at most)."""

    name: str
    rate_hz: int
    channels: int  # that the file had
    samples: Floats

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / self.rate_hz


def read_all(paths: Iterable[Path], longest_s: int = LONGEST_S) -> list[Recording]:
    """Decode files that together are `longest_s` long at most. Raises RecordingRefused."""
    recordings: list[Recording] = []
    for path in paths:
        left_s = longest_s - sum(recording.seconds for recording in recordings)
        recordings.append(read(path, max(1, int(left_s))))
    return recordings


def read(path: Path, longest_s: int = LONGEST_S) -> Recording:
    """Decode a file. Raises RecordingRefused."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a named pipe shall not hold us up
    except OSError as error:
        raise RecordingRefused(f"{path} cannot be read: {error.strerror}") from None
    try:
        return decode(descriptor, path.name, longest_s)
    finally:
        os.close(descriptor)


def decode(descriptor: int, name: str, longest_s: int = LONGEST_S) -> Recording:
    """Decode the file behind `descriptor`, from its beginning. Raises RecordingRefused, which calls it `name`."""
    _check_file(descriptor, name)
    with ExitStack() as stack:
        # In memory, so that no voice is left on a disk; as files, so that the kernel bounds what the child writes.
        sound, words = (stack.enter_context(os.fdopen(os.memfd_create(what), "rb")) for what in ("sound", "words"))
        status = _run(descriptor, sound.fileno(), words.fileno(), longest_s)
        if status != 0:
            raise RecordingRefused(f"{name} {_why(status, words.read(4 * _WORDS))}")
        header = sound.read(_HEADER.size)
        content = sound.read()
    if len(header) < _HEADER.size or len(content) < 4:
        raise RecordingRefused(f"{name} holds no sound")
    rate_hz, channels = _HEADER.unpack(header)
    return Recording(name, rate_hz, channels, np.frombuffer(content[: len(content) // 4 * 4], "<f4"))


def _check_file(descriptor: int, name: str) -> None:
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        raise RecordingRefused(f"{name} is not a file")
    if facts.st_size > MAX_FILE_BYTES:
        raise RecordingRefused(f"{name} is too long: {facts.st_size >> 20} MB, at most {MAX_FILE_BYTES >> 20} MB")
    start = os.pread(descriptor, 12, 0)
    if not (start[:4] == b"fLaC" or (start[:4] in (b"RIFF", b"RF64") and start[8:] == b"WAVE")):
        raise RecordingRefused(f"{name} is neither WAV nor FLAC; convert it to one of them")


def _run(source: int, sound: int, words: int, longest_s: int) -> int:
    """Let the decoder run to its end; its exit status, negative for a signal."""
    os.lseek(source, 0, os.SEEK_SET)
    command = [sys.executable, "-I", str(_DECODER), str(longest_s), str(_MEMORY_BYTES), str(_CPU_S)]
    process = subprocess.Popen(command, stdin=source, stdout=sound, stderr=words, env={"OPENBLAS_NUM_THREADS": "1"})
    try:
        status = process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        status = -signal.SIGKILL
    finally:
        process.kill()  # nothing, where it has ended by itself
        process.wait()
    for descriptor in (sound, words):  # the child has moved the position that we share
        os.lseek(descriptor, 0, os.SEEK_SET)
    return status


def _why(status: int, words: bytes) -> str:
    if status != _REFUSED:
        return "was refused: it takes more time or memory to decode than any recording does, or breaks the decoder"
    said = "".join(sign for sign in words.decode(errors="replace") if sign.isprintable())[:_WORDS]
    return f"cannot be used: {said.strip().rstrip('.')}"
