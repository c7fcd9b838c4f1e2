"""Where callers enrol: who may, one at a time, with prompts that the box speaks itself, and nothing left behind."""

import asyncio
import re
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from functools import partial

import msgspec

from appliance import clock
from appliance.config import Config
from appliance.telephony.ari import Ari, AriError
from appliance.telephony.ari_messages import Channel, Event
from appliance.telephony.causes import BUSY, REJECTED, TEMPORARY_FAILURE
from appliance.telephony.enrolment_call import EnrolmentCall
from appliance.telephony.enrolment_worker import EnrolmentWorker
from appliance.units import NS_PER_S
from appliance.voices import phone_prompts
from appliance.voices.phone_dialogue import Heard, Made, News, NotInvited, NotMade, begin

PROMPT_MAKER = "appliance.commands.voice_prompts"  # by name: it loads engines
MOST_WRONG_CODES, WRONG_CODES_S = 10, 600  # of all callers together
_ENDPOINT = re.compile(r"PJSIP/(?P<name>.+)-[0-9a-f]+")

Report = Callable[[str, str], None]  # status and action, for operators


def may_enrol(channel: str, phones: Collection[str], trunks: Collection[str]) -> bool:
    """Whether a channel of this name ("PJSIP/ana-0000001f") comes from where people may enrol."""
    endpoint = _ENDPOINT.fullmatch(channel)
    return endpoint is not None and endpoint["name"] in (*phones, *trunks)


def is_guessing(wrong_ns: Sequence[int], now_ns: int) -> bool:
    """Whether so many wrong codes came lately that nobody is let in for a while."""
    return len([at_ns for at_ns in wrong_ns if now_ns - at_ns < WRONG_CODES_S * NS_PER_S]) >= MOST_WRONG_CODES


class EnrolmentDesk:
    """Enrolment by telephone, of one appliance; it is closed where the configuration has no number for it.

    `start` runs work in the background. `send_away` gives a caller back to the dialplan, as if the appliance were away.
    """

    def __init__(
        self,
        config: Config,
        ari: Ari,
        report: Report,
        start: Callable[[Awaitable[None]], None],
        send_away: Callable[[str, str], Awaitable[None]],
    ) -> None:
        self._config = config
        self._ari = ari
        self._report = report
        self._start = start
        self._send_away = send_away
        self._phones = {phone.name for phone in config.phones}
        self._languages = phone_prompts.usable(config.engines.languages)
        self._call: EnrolmentCall | None = None
        self._task: asyncio.Task[None] | None = None
        self._preparing: asyncio.Task[None] | None = None
        self._wrong_ns: deque[int] = deque(maxlen=MOST_WRONG_CODES)
        self._closing = False

    @property
    def _is_ready(self) -> bool:
        folder = self._config.voices.prompts_folder
        return bool(self._languages) and not any(phone_prompts.missing(folder, each) for each in self._languages)

    def take(self, event: Event) -> bool:
        """One event of ARI; returns whether it was for somebody who enrols, or has enrolled."""
        recording = event.recording.name if event.recording else ""
        playback = event.playback.id if event.playback else ""
        channel = event.channel.id if event.channel else ""
        if (call := self._call) and (channel == call.channel or (recording or playback).startswith(call.name)):
            self._told(call, event)
            return True
        if recording.startswith(f"{self._ari.application}-enrol-") and event.type != "RecordingStarted":
            self._start(self._ari.delete_recording(recording))  # it ended after its caller
        return bool(recording or playback)

    def _told(self, call: EnrolmentCall, event: Event) -> None:
        if event.type not in ("ChannelDestroyed", "StasisEnd"):
            call.events.put_nowait(event)
        else:
            self._gone(call)

    def _gone(self, call: EnrolmentCall) -> None:
        """The caller has hung up. Told once or more."""
        if self._task and not call.is_settled:
            call.is_settled = True
            self._task.cancel()

    def admit(self, caller: Channel, number: str) -> None:
        """Somebody has dialled the number."""
        if not may_enrol(caller.name, self._phones, self._config.voices.enrolment_trunks):
            self._report("REFUSED", "somebody who may not has called the number for enrolment")
            self._start(self._ari.hang_up(caller.id, REJECTED))
        elif self._call:
            self._report("REFUSED", "somebody else is being enrolled by telephone just now")
            self._start(self._ari.hang_up(caller.id, BUSY))
        elif self._closing or not self._is_ready or is_guessing(self._wrong_ns, clock.now_ns()):
            why = "the prompts are not there yet" if not self._is_ready else "too many wrong codes, or a restart"
            self._report("REFUSED", f"nobody can enrol by telephone just now: {why}")
            self.prepare()
            self._start(self._send_away(caller.id, number))
        else:
            self._begin(caller)

    def _begin(self, caller: Channel) -> None:
        voices = self._config.voices
        find = partial(phone_prompts.path, voices.prompts_folder)
        self._call = EnrolmentCall(self._ari, caller.id, find, EnrolmentWorker(self._config))
        self._task = asyncio.create_task(self._serve(self._call))
        self._start(self._ended(self._task))
        self._report("UP", "somebody enrols by telephone")

    async def _serve(self, call: EnrolmentCall) -> None:
        language = self._languages[0]
        needed_s = float(self._config.voices.enrolment_speech_s)
        try:
            await self._ari.subscribe(call.channel)
            await call.serve(begin(language, needed_s, phone_prompts.sentences(language)), self._hear)
        finally:
            self._call = None

    async def _ended(self, task: asyncio.Task[None]) -> None:
        """Raises AriError."""
        await asyncio.wait([task])
        if task.cancelled():
            self._report("UP", "somebody hung up before being enrolled; nothing was kept")
        else:
            task.result()

    def _hear(self, news: News) -> None:
        """What operators should know."""
        if isinstance(news, NotInvited):
            self._wrong_ns.append(clock.now_ns())
            self._report("REFUSED", "a code for enrolment by telephone was wrong")
        elif isinstance(news, Heard) and news.flaw:
            self._report("REFUSED", f"a take was asked for again: {news.flaw}, {news.speech_s:.1f} s of speech")
        elif isinstance(news, NotMade):
            self._report("DEGRADED", f"nobody was enrolled by telephone: {'; '.join(news.sentences)}")
        elif isinstance(news, Made):
            advice = f": {'; '.join(news.sentences)}" if news.sentences else ""
            self._report("UP", f"{news.speaker_id} was enrolled by telephone{advice}")

    async def resync(self, channels: Iterable[Channel]) -> None:
        """After a (re)connect: nobody who is gone, nothing that was recorded for nobody, and callers who wait.

        Raises AriError.
        """
        if not self._config.voices.enrolment_number:
            return
        self.prepare()
        there = {channel.id for channel in channels}
        if self._call and self._call.channel not in there:
            self._gone(self._call)
        mine = self._call.name if self._call else "nobody's"
        for one in await self._ari.recordings():
            if one.name.startswith(f"{self._ari.application}-enrol-") and not one.name.startswith(mine):
                await self._ari.delete_recording(one.name)
        for channel in channels:
            position = channel.dialplan
            waits = position.app_data.startswith(f"{self._ari.application},enrol,") and position.app_name == "Stasis"
            if waits and not (self._call and self._call.channel == channel.id):
                await self._go_on(channel, position.exten)

    async def _go_on(self, channel: Channel, number: str) -> None:
        """With somebody from before a restart: what they had said is lost, so they call again, with the same code."""
        if channel.state == "Ring":
            self.admit(channel, number)
        else:
            self._report("UP", "hung up somebody who was enrolling before a restart; nothing was kept")
            await self._ari.hang_up(channel.id, TEMPORARY_FAILURE)

    def prepare(self) -> None:
        """Let the box speak the prompts that are missing, beside everything else."""
        is_under_way = self._preparing is not None and not self._preparing.done()
        if self._config.voices.enrolment_number and self._languages and not is_under_way and not self._is_ready:
            self._preparing = asyncio.create_task(self._make_prompts())

    async def _make_prompts(self) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", PROMPT_MAKER), stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            _, said = await process.communicate(msgspec.json.encode(self._config, enc_hook=str))
        finally:
            if process.returncode is None:
                process.kill()
        if process.returncode == 0:
            self._report("UP", "the prompts for enrolment by telephone are there")
        else:
            last = (said.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            self._report("DEGRADED", f"the prompts for enrolment by telephone could not be made: {last}")

    async def close(self) -> None:
        """Nobody enrols any more; who was at it has left nothing."""
        self._closing = True
        if self._preparing:
            self._preparing.cancel()
        if self._call and self._task:
            channel = self._call.channel
            self._gone(self._call)
            await asyncio.wait([self._task])
            try:
                await self._ari.hang_up(channel, TEMPORARY_FAILURE)
            except AriError as error:
                self._report("DEGRADED", f"somebody who was enrolling could not be hung up: {error}")
