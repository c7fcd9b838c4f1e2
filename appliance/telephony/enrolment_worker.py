"""The process beside `calls` that judges what a caller says: started, asked, ended. It holds the only copy of it."""

import asyncio
import contextlib
import sys

import msgspec

from appliance.config import Config
from appliance.voices.phone_messages import LENGTH, Answer, Begin, Request, answer, packed

WORKER = "appliance.voices.phone_worker"  # by name: what it loads shall not be in this process
ANSWER_S = 20.0
MAKING_S = 300.0


class WorkerLost(Exception):  # noqa: N818
    """It has died, or does not answer in time."""


class EnrolmentWorker:
    """One process for one enrolment. `start` before anything else, `close` after."""

    def __init__(self, config: Config) -> None:
        voices = config.voices
        self._begin = Begin(
            str(voices.folder),
            str(voices.key_file),
            str(config.cache_dir),
            float(voices.enrolment_speech_s),
            voices.ecapa_folder,
            voices.gst_folder,
        )
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; it gets ready while the caller is welcomed."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", WORKER), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        self._write(self._begin)

    async def ask(self, request: Request, patience_s: float = ANSWER_S) -> Answer:
        """What it answers. Raises WorkerLost."""
        self._write(request)
        reader = self._started().stdout
        assert reader is not None
        try:
            async with asyncio.timeout(patience_s):
                (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
                return answer(await reader.readexactly(length))
        except TimeoutError:
            raise WorkerLost(f"the process that judges recordings did not answer in {patience_s:g} s") from None
        except (asyncio.IncompleteReadError, OSError, msgspec.DecodeError):
            raise WorkerLost("the process that judges recordings has died; its reason is on standard error") from None

    async def close(self) -> None:
        """End it, and with it what it has heard."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    def _write(self, request: Request) -> None:
        """What does not arrive is not answered either."""
        writer = self._started().stdin
        assert writer is not None
        writer.write(packed(request))

    def _started(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "used before it was started"
        return self._process
