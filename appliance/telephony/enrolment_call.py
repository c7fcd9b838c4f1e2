"""One caller who enrols: does in Asterisk what the dialogue wants, and tells it how that went.

Asterisk plays and records: what is needed is one channel and files, no ear, no booth and no place of the appliance.
A take is in Asterisk's spool folder until it has been fetched; the consent, until it has been played back.
"""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from appliance.telephony.ari import STORED, Ari, AriError, RefusedError
from appliance.telephony.ari_messages import Event
from appliance.telephony.causes import NORMAL
from appliance.telephony.enrolment_worker import MAKING_S, EnrolmentWorker, WorkerLost
from appliance.voices.phone_dialogue import (
    PLAYBACK,
    Ask,
    End,
    Keys,
    Listen,
    LookUp,
    Make,
    News,
    NotMade,
    Step,
    Turn,
    after,
)
from appliance.voices.phone_messages import FindInvitation, JudgeTake, MakeVoice, Request

KEY_S = 8.0  # for the next key
SILENCE_S = 2  # ends a take
LONGEST_PROMPTS_S = 60.0
LATE_S = 5.0  # longer than a take may last: the event was lost with the connection
STILL_MAKING_S = 10.0
WHOLE_CALL_S = 3600.0

Find = Callable[[str, str], Path]  # language and key of a prompt → its file


class EnrolmentCall:
    """One caller. `serve` it in a task; `events` are those of its channel; cancel it when the caller is gone."""

    def __init__(self, ari: Ari, channel: str, find: Find, worker: EnrolmentWorker) -> None:
        self.channel = channel
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.name = f"{ari.application}-enrol-{secrets.token_hex(4)}"  # what all its recordings begin with
        self.is_settled = False  # hanging up changes nothing any more
        self._ari = ari
        self._find = find
        self._worker = worker
        self._language = ""
        self._keys = ""
        self._count = 0
        self._takes: set[str] = set()  # recordings that Asterisk may have
        self._consent = ""

    async def serve(self, first: Turn, tell: Callable[[News], None]) -> None:
        """The whole call; `tell` gets all news. Raises AriError."""
        try:
            async with asyncio.timeout(WHOLE_CALL_S):
                await self._worker.start()
                await self._ari.answer(self.channel)
                await self._talk(first, tell)
        except TimeoutError:
            await self._ari.hang_up(self.channel, NORMAL)
        finally:
            await self._worker.close()
            await self._forget(*self._takes)

    async def _talk(self, turn: Turn, tell: Callable[[News], None]) -> None:
        dialogue, step = turn
        while not isinstance(step, End):
            self._language = dialogue.language
            news = await self._do(step)
            tell(news)
            dialogue, step = after(dialogue, news)
        self.is_settled = True
        with suppress(RefusedError):  # made, and the caller has hung up meanwhile
            await self._play(step.prompts)
        await self._ari.hang_up(self.channel, NORMAL)

    async def _do(self, step: Step) -> News:
        match step:
            case Ask():
                return await self._ask(step)
            case LookUp(code):
                return await self._asked(FindInvitation(code))
            case Listen():
                return await self._listen(step)
            case Make():
                return await self._make(step)
        raise ValueError(f"{step} has no news")

    async def _ask(self, ask: Ask) -> Keys:
        """Keys may come before the prompts are over, which ends them; "#" ends the keys, "*" begins anew."""
        self._keys = ""
        await self._play(ask.prompts, or_key=True)
        while len(self._keys) < ask.digits and "#" not in self._keys:
            if await self._next(("ChannelDtmfReceived",), KEY_S) is None:
                break
        return Keys(self._keys.partition("#")[0][: ask.digits])

    async def _listen(self, listen: Listen) -> News:
        """Who knows what to say presses a key instead of hearing it."""
        await self._play(listen.prompts, or_key=True)
        name = self._new_name()
        self._takes.add(name)
        await self._ari.record(self.channel, name, listen.longest_s, SILENCE_S)
        await self._next(("RecordingFinished", "RecordingFailed"), listen.longest_s + LATE_S, name)
        try:
            wav = await self._ari.recording(name)
        except RefusedError:  # nothing came that could have been recorded
            wav = b""
        if listen.take == "consent":
            name, self._consent = self._consent, name
        if name:
            await self._forget(name)
        return await self._asked(JudgeTake(listen.take, wav))

    async def _make(self, make: Make) -> News:
        """Also to its end when the caller has hung up."""
        self.is_settled = True
        making = asyncio.create_task(self._asked(MakeVoice(), MAKING_S))
        while not making.done():
            with suppress(RefusedError):
                await self._play(make.prompts)
            await asyncio.wait([making], timeout=STILL_MAKING_S)
        return making.result()

    async def _asked(self, request: Request, patience_s: float | None = None) -> News:
        try:
            return await (self._worker.ask(request, patience_s) if patience_s else self._worker.ask(request))
        except WorkerLost as error:
            return NotMade([str(error)])

    async def _play(self, prompts: tuple[str, ...], or_key: bool = False) -> None:
        """To their end, or until a key is pressed."""
        playback = self._new_name()
        await self._ari.play(self.channel, playback, [self._file(prompt) for prompt in prompts])
        kinds = ("PlaybackFinished", "ChannelDtmfReceived") if or_key else ("PlaybackFinished",)
        event = await self._next(kinds, LONGEST_PROMPTS_S, playback)
        if event and event.digit:
            await self._ari.stop_playing(playback)

    def _file(self, prompt: str) -> str:
        if prompt == PLAYBACK:
            return f"{STORED}{self._consent}"
        return str(self._find(self._language, prompt).with_suffix(""))

    async def _next(self, kinds: tuple[str, ...], timeout_s: float, name: str = "") -> Event | None:
        """The next event of these types, of this playback or recording; None: none came in time.

        What is keyed in meanwhile is kept.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    event = await self.events.get()
                    if event.digit:
                        self._keys = "" if event.digit == "*" else self._keys + event.digit
                    if event.type in kinds and _is_of(event, name):
                        return event
        except TimeoutError:
            return None

    def _new_name(self) -> str:
        self._count += 1
        return f"{self.name}-{self._count}"

    async def _forget(self, *names: str) -> None:
        for name in names:
            with suppress(AriError):  # if Asterisk cannot be reached: as soon as it can
                await self._ari.delete_recording(name)
                self._takes.discard(name)


def _is_of(event: Event, name: str) -> bool:
    if event.playback:
        return event.playback.id == name
    return event.recording is None or event.recording.name == name
