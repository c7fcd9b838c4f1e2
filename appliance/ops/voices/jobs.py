"""Recordings that were uploaded, and the process that works on them; everything is forgotten after an hour."""

import asyncio
import contextlib
import os
import re
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, NamedTuple

import msgspec
import tomli_w

from appliance.clock import now_ns
from appliance.config import Config
from appliance.ops.voices.messages import Enrolment, Job, News, Progress, Sentence, Uploaded
from appliance.units import NS_PER_S

WORKER = "appliance.commands.voice_worker"  # by name: what ops itself imports cannot touch a call
MOST_BYTES = 200 << 20  # ten minutes in stereo, 24 bits, 48 kHz are 173 MB
MOST_RECORDINGS = 40
KEPT_S = 3600
_PATIENCE_S = 600
_LINE_BYTES = 1 << 20


class Refused(Exception):  # noqa: N818
    """What was asked cannot be done; `status` is HTTP's, the message one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Take(NamedTuple):
    """An uploaded recording. Its file has no name in any folder: whatever ends this process, it is gone."""

    name: str
    file: IO[bytes]
    came_ns: int


class Said(NamedTuple):
    """A sentence as WAV, whether it is in the speaker's own voice, and what to say about that."""

    wav: bytes
    is_own: bool
    sentence: str


class Jobs:
    """Uploads and enrolments of one `ops` process. One enrolment at a time: it takes a whole core."""

    def __init__(self, config: Config) -> None:
        self._voices = config.voices
        self._cache_dir = config.cache_dir
        self._config = tomli_w.dumps(msgspec.to_builtins(config, str_keys=True, enc_hook=str))
        self._speaking = asyncio.Lock()
        self._takes: dict[str, Take] = {}
        self._enrolments: dict[str, Progress] = {}
        self._task: asyncio.Task[None] | None = None

    async def upload(self, name: str, content: AsyncIterator[bytes]) -> Uploaded:
        """Take in a recording and measure it. Raises Refused."""
        self._forget_old()
        if len(self._takes) >= MOST_RECORDINGS:
            raise Refused(409, f"there are {MOST_RECORDINGS} recordings already; enrol or delete some first")
        key = f"r-{secrets.token_hex(6)}"
        take = self._takes[key] = Take(_readable(name), _nameless_file(), now_ns())
        try:
            await _save(take, content)
            news = await self._work([take])
            if news.refused or news.figures is None:
                raise Refused(400, "; ".join(news.sentences))
        except OSError as error:
            self.delete(key)
            raise Refused(507, f"the recording cannot be kept: {error.strerror}; free some disk space") from None
        except BaseException:
            self.delete(key)
            raise
        return Uploaded(key, take.name, news.figures, news.sentences)

    def delete(self, key: str) -> None:
        """Forget a recording. Raises Refused where there is none."""
        if key not in self._takes:
            raise Refused(404, f"there is no recording {key}; upload it again")
        with contextlib.suppress(OSError):  # what a full disk did not take
            self._takes.pop(key).file.close()

    def start(self, asked: Enrolment) -> Progress:
        """Begin to enrol. Raises Refused."""
        self._forget_old()
        if self._task and not self._task.done():
            raise Refused(409, "somebody is being enrolled just now; wait until that is done")
        for key in asked.recordings:
            if key not in self._takes:
                raise Refused(404, f"there is no recording {key}; upload it again")
        key = f"e-{secrets.token_hex(6)}"
        self._enrolments = {key: Progress(key, "working", "starting")}
        self._task = asyncio.create_task(self._enrol(key, asked))
        return self._enrolments[key]

    def progress(self, key: str) -> Progress:
        """How far an enrolment is: only the last one is remembered. Raises Refused."""
        if key not in self._enrolments:
            raise Refused(404, f"there is no enrolment {key}; look at the list of voices")
        return self._enrolments[key]

    async def say(self, speaker_id: str, asked: Sentence) -> Said:
        """Have a voice say something, once at a time: engines take memory. Raises Refused."""
        if self._speaking.locked():
            raise Refused(409, "somebody listens to a voice just now; wait until that is done")
        async with self._speaking:
            take = Take("speech", _nameless_file(), now_ns())
            with take.file:
                news = await self._work([take], said=(speaker_id, asked))
                if news.refused:
                    raise Refused(400, "; ".join(news.sentences))
                take.file.seek(0)
                return Said(take.file.read(), news.is_own, "; ".join(news.sentences))

    async def close(self) -> None:
        """Stop what is under way, and forget all recordings."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for key in list(self._takes):
            self.delete(key)

    async def _enrol(self, key: str, asked: Enrolment) -> None:
        takes = [self._takes[recording] for recording in asked.recordings]
        try:
            news = await self._work(takes, asked, key)
        except Refused as error:
            news = News(ended=True, refused=True, sentences=[str(error)])
        self._enrolments[key] = Progress(
            key, "refused" if news.refused else "done", news.what, news.share, news.sentences, news.speaker_id
        )
        if not news.refused:
            for recording in set(asked.recordings) & set(self._takes):
                self.delete(recording)

    async def _work(
        self,
        takes: list[Take],
        asked: Enrolment | None = None,
        key: str = "",
        said: tuple[str, Sentence | None] = ("", None),
    ) -> News:
        """Let the worker do it. Raises Refused where it fails."""
        voices = self._voices
        descriptors = [take.file.fileno() for take in takes]
        files = [(number, take.name) for number, take in zip(descriptors, takes, strict=True)]
        places = str(voices.folder), str(voices.key_file), str(self._cache_dir)
        job = Job(files, *places, asked, self._config, *said)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", WORKER),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE_BYTES,
            pass_fds=descriptors,
        )
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await self._follow(process, job, key)
        except TimeoutError:
            raise Refused(503, f"it was not done in {_PATIENCE_S} s; the box is too busy, try again later") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _follow(self, process: asyncio.subprocess.Process, job: Job, key: str) -> News:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(msgspec.json.encode(job))
        process.stdin.close()
        async for line in process.stdout:
            news = msgspec.json.decode(line, type=News)
            if news.ended:
                return news
            self._enrolments[key] = Progress(key, "working", news.what, news.share)
        raise Refused(500, "the process that works on recordings has died; its reason is in the log")

    def _forget_old(self) -> None:
        too_old_ns = now_ns() - KEPT_S * NS_PER_S
        busy = self._task is not None and not self._task.done()
        for key in [key for key, take in self._takes.items() if take.came_ns < too_old_ns and not busy]:
            self.delete(key)


async def _save(take: Take, content: AsyncIterator[bytes]) -> None:
    """Raises Refused."""
    size = 0
    async for part in content:
        size += len(part)
        if size > MOST_BYTES:
            raise Refused(413, f"{take.name} is too long: more than {MOST_BYTES >> 20} MB")
        take.file.write(part)
    take.file.flush()


def _nameless_file() -> IO[bytes]:
    """Raises Refused."""
    try:
        descriptor, path = tempfile.mkstemp(prefix="dragoman-")
        Path(path).unlink()
    except OSError as error:
        raise Refused(503, f"no temporary file can be made: {error.strerror}") from None
    return os.fdopen(descriptor, "w+b")


def _readable(name: str) -> str:
    """What of a name from outside is readable in a sentence."""
    plain = re.sub(r"[^\w .()+-]", "_", name.rsplit("/", 1)[-1]).strip(". ")[:80]
    return plain or "recording"
