"""The host of one room: does in Asterisk what the room needs, from the first ring until the last channel is deleted."""

import asyncio
from collections.abc import Awaitable, Iterable

from msgspec.structs import replace

from appliance.config import AUTO, Route
from appliance.frames.roster import Address, Roster
from appliance.telephony.ari import Ari, AriError, RefusedError, UnreachableError
from appliance.telephony.ari_messages import Channel
from appliance.telephony.causes import NORMAL, TEMPORARY_FAILURE, UNREGISTERED
from appliance.telephony.house import Answered, Close, Ended, House, News, Spoke, Unclear, Voiced
from appliance.telephony.legs import Leg
from appliance.telephony.marks import (
    BOOTH_CONTEXT,
    MOVE_CONTEXT,
    ROOM_CONTEXT,
    VARIABLE,
    LiveRoom,
    Mark,
    Role,
    booth_id,
    ear_bridge_id,
    ear_id,
    helpers_of,
    local_address,
    snoop_id,
)
from appliance.telephony.places import HouseFullError, Seats, roster_of
from appliance.telephony.rooms import (
    HangUp,
    Room,
    after_answer,
    after_end,
    after_language,
    after_voice,
    conference,
    farewells,
    known_as,
    wishes,
)
from appliance.telephony.routes import caller_id

ENTERS_STASIS_S = 4.0
NEWS_S = 1.0


class RoomHost:
    """Serves one room: takes its `events` one after the other, until it is over."""

    def __init__(self, house: House, room: Room, seats: Seats) -> None:
        self.room = room
        self.seats = seats
        self.events: asyncio.Queue[News] = asyncio.Queue()
        self.has_called = False  # all its legs have a channel
        self._house = house
        self._ari = house.ari
        # None: asked for, and perhaps there already.
        self._ears: dict[int, Address | None] = {}
        self._booths: dict[str, Address | None] = {}
        self._joined: dict[int, str] = {}  # the conference each leg is in
        self._torn: tuple[tuple[int, ...], tuple[str, ...]] = ((), ())
        self._is_arranged = True  # what the room needs is there
        self._no_place: set[str] = set()  # languages that operators have been told of
        self._foreign: dict[str, str] = {}  # by channel, as operators have been told
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    def of_live(cls, house: House, live: LiveRoom) -> "RoomHost":
        """The host of a room that was there before us."""
        host = cls(house, live.room, live.seats)
        host._ears, host._booths = {**live.ears}, {**live.booths}
        host.has_called = True
        host._joined, host._torn = {**live.conferences}, live.torn
        host._is_arranged = not any(leg.is_auto for leg in live.room.legs) or not live.conferences
        return host

    def roster(self) -> Roster:
        """The room's part of the roster: empty unless people are being interpreted."""
        if self.room.is_over or not (self._ears or self._booths):
            return Roster()
        return roster_of(self.room, self.seats, self._ears, self._booths)

    async def call(self, caller: Channel, route: Route) -> None:
        """Ring the callee of a new room, let the caller hear it, and serve the room. Raises AriError like `serve`."""
        waiting, ringing = self.room.legs
        await self._serve(self._ring(caller, waiting, ringing, route))

    async def serve(self) -> None:
        """Serve a room that was there before us, until it is over.

        Raises AriError if Asterisk does not do as asked; everybody is hung up then, as far as Asterisk can be reached.
        """
        await self._serve(self._resume())

    async def _serve(self, beginning: Awaitable[None]) -> None:
        partings: list[HangUp] | None = None
        try:
            await beginning
            partings = await self._until_over()
        except RefusedError:
            if not await self._somebody_left():
                raise
        finally:
            await self._clear(farewells(self.room, TEMPORARY_FAILURE) if partings is None else partings)

    async def _resume(self) -> None:
        await _together(self._ari.subscribe(leg.channel) for leg in self.room.present)
        if not self._is_arranged:
            await self._arrange_again()

    async def _ring(self, caller: Channel, waiting: Leg, ringing: Leg, route: Route) -> None:
        await self._ari.subscribe(caller.id)
        await self._ari.set_variable(caller.id, VARIABLE, self._leg_mark(waiting).text())
        mark = {VARIABLE: self._leg_mark(ringing).text()}
        try:
            await self._ari.originate(ringing.channel, route.callee, caller_id(caller.caller), route.ring_s, mark)
        except RefusedError:  # not registered, or no such endpoint: there is nobody to ring
            self.events.put_nowait(Ended(ringing.channel, UNREGISTERED))
            return
        self.has_called = True
        await self._ari.ring(caller.id)

    async def _until_over(self) -> list[HangUp]:
        """Take events until the room is over: whom to hang up, and with which cause."""
        while True:
            match await self.events.get():
                case Answered(channel):
                    self.room = after_answer(self.room, channel)
                    await self._connect()
                    self._expect_languages()
                case Spoke(channel, language, foreign):
                    await self._learn(channel, language, foreign)
                case Voiced(channel, voice):
                    self.room = after_voice(self.room, channel, voice)
                    self._house.publish()
                case Unclear(channel):
                    await self._learn(channel, AUTO, "")
                case Ended(channel, cause):
                    self.room = after_end(self.room, channel)
                    if self.room.is_over:
                        return farewells(self.room, cause)
                    await self._release()
                case Close():
                    return farewells(self.room, NORMAL)

    async def _connect(self) -> None:
        """Bring everybody who talks into the room, with ears and booths; what is there already stays as it is."""
        wanted = wishes(self.room)
        coming = [leg for leg in self.room.people if leg.index not in self._joined]
        conferences = {leg.index: conference(self.room, leg) for leg in self.room.people}
        moving = [leg for leg in self.room.people if self._joined.get(leg.index) not in (None, conferences[leg.index])]
        ears = [leg for leg in self.room.people if leg.index in wanted.ears and leg.index not in self._ears]
        booths = [language for language in wanted.open_booths if language not in self._booths]
        await _together(
            [
                *(self._ari.answer(leg.channel) for leg in coming if leg.index == 0),
                *(self._make_ear(leg) for leg in ears),
                *(self._make_booth(language) for language in booths),
            ]
        )
        # The addresses are known and nothing has been sent yet: those who pin their sources can learn them now.
        self._house.publish()
        name = self.room.name
        await _together(
            [
                *(self._open_ear(leg) for leg in ears),
                *(self._ari.leave_for(booth_id(name, tag), BOOTH_CONTEXT, f"{name}-{tag}") for tag in booths),
                *(self._ari.leave_for(leg.channel, ROOM_CONTEXT, f"{name}-{conferences[leg.index]}") for leg in coming),
                *(self._move(leg, conferences[leg.index]) for leg in moving),
            ]
        )
        self._joined |= {leg.index: conferences[leg.index] for leg in (*coming, *moving)}

    async def _move(self, leg: Leg, language: str) -> None:
        """Bring a leg from one conference into another; what it misses is the move itself."""
        where = {"DRAGOMAN_LEG": leg.channel, "DRAGOMAN_CONFERENCE": f"{self.room.name}-{language}"}
        await self._ari.run(f"{self.room.name}-move{leg.index}", MOVE_CONTEXT, "move", where)

    def _expect_languages(self) -> None:
        """Wait only so long for it to be found out what somebody speaks."""
        unknown = next((leg for leg in self.room.people if leg.is_unknown), None)
        if unknown and not self._timer:
            after_s = self._house.fallback(self.room.route).after_s
            loop, event = asyncio.get_running_loop(), Unclear(unknown.channel)
            self._timer = loop.call_later(after_s, self.events.put_nowait, event)

    async def _learn(self, channel: str, heard: str, foreign: str) -> None:
        """Somebody speaks `heard`, or `foreign`, or nobody knows what ("auto"). News or not: it is told repeatedly."""
        leg = self.room.leg_of(channel)
        if leg is None or leg.has_gone or (heard == AUTO and not leg.is_unknown):
            return
        is_found = heard != AUTO and not foreign
        language = known_as(self.room, heard if is_found else self._house.fallback(self.room.route).language)
        news = foreign if foreign != self._foreign.get(channel, "") else ""
        self._foreign[channel] = foreign
        if news:
            self._tell("DEGRADED", f'somebody speaks "{news}", which nobody here interprets; taken for "{language}"')
        if language == leg.language and self._is_arranged:
            return
        if not is_found and not news:
            self._tell("DEGRADED", f'it has not been found out what somebody speaks; taken for "{language}"')
        await self._change(leg, language)

    async def _change(self, leg: Leg, language: str) -> None:
        """A leg speaks this from now on: give the room what that takes, with everybody in it all the time."""
        before = self.room
        self.room = after_language(self.room, leg.channel, language)
        try:
            self._house.places.refit(self.room, self.seats)
        except HouseFullError as error:
            self.room = before
            self._house.places.fit(self.room, self.seats)
            if language not in self._no_place:  # it is asked for with each utterance
                self._tell("DEGRADED", f'no place for somebody who speaks "{language}": {error}')
            self._no_place.add(language)
            return
        self._no_place.clear()
        if language != leg.language:
            self._tell("UP", f'somebody is spoken to in "{language}" from now on')
        await self._arrange_again()

    async def _arrange_again(self) -> None:
        """What a room of people who talk needs now. What Asterisk refuses costs nobody the call: it is tried again."""
        self._is_arranged = False
        try:
            await delete_helpers(self._ari, self.room.name, *self._torn)
            self._torn = (), ()
            await self._write_marks()  # first: killed from here on, the next process goes on with it
            await self._connect()
            await self._release()
        except AriError as error:
            self._tell("DEGRADED", f"the room is not as it should be: {error}")
            ears = tuple(index for index, address in self._ears.items() if address is None)
            booths = tuple(language for language, address in self._booths.items() if address is None)
            self._forget(ears, booths)
            self._torn = ears, booths
        else:
            self._is_arranged = True
        self._expect_languages()

    async def _write_marks(self) -> None:
        """Bring up to date what a restarted process has to know.

        On the ears alone: ARI sets no variables of a channel that is in the dialplan, as the legs are.
        """
        marks = {
            ear_id(self.room.name, leg.index): self._ear_mark(leg)
            for leg in self.room.people
            if leg.index in self._ears
        }
        await _together(self._ari.set_variable(channel, VARIABLE, mark.text()) for channel, mark in marks.items())

    def _tell(self, status: str, action: str) -> None:
        self._house.report(status, action, self.room.name)

    def _forget(self, ears: Iterable[int], booths: Iterable[str]) -> None:
        for index in ears:
            del self._ears[index]
        for language in booths:
            del self._booths[language]

    async def _make_ear(self, leg: Leg) -> None:
        self._ears[leg.index] = None
        ear, snoop = ear_id(self.room.name, leg.index), snoop_id(self.room.name, leg.index)
        mark = self._ear_mark(leg)
        entered = [self._house.entered(ear), self._house.entered(snoop)]
        channel = await self._ari.external_media(ear, self._house.media, {VARIABLE: mark.text()})
        self._ears[leg.index] = local_address(channel)
        await self._ari.snoop(leg.channel, snoop)
        await _in_stasis(entered)

    async def _open_ear(self, leg: Leg) -> None:
        name, index = self.room.name, leg.index
        await self._ari.make_bridge(ear_bridge_id(name, index), (ear_id(name, index), snoop_id(name, index)))

    async def _make_booth(self, language: str) -> None:
        self._booths[language] = None
        booth = booth_id(self.room.name, language)
        mark = self._mark("booth", language, place=self.seats.booths[language])
        entered = self._house.entered(booth)
        channel = await self._ari.external_media(booth, self._house.media, {VARIABLE: mark.text()})
        self._booths[language] = local_address(channel)
        await _in_stasis([entered])

    def _leg_mark(self, leg: Leg) -> Mark:
        mark = self._mark("leg", leg.language, leg=leg.index, place=self.seats.legs[leg.index])
        return replace(mark, is_auto=leg.is_auto, phone=leg.phone)

    def _ear_mark(self, leg: Leg) -> Mark:
        lanes = {language: place for (index, language), place in self.seats.lanes.items() if index == leg.index}
        return self._mark("ear", leg.language, leg=leg.index, lanes=lanes)

    def _mark(
        self, role: Role, language: str, *, place: int = -1, leg: int = -1, lanes: dict[str, int] | None = None
    ) -> Mark:
        room = self.room
        return Mark(self._ari.application, room.name, room.number, role, language, place, leg, lanes or {}, room.route)

    async def _somebody_left(self) -> bool:
        """Whether a request was refused only because somebody hung up just then."""
        try:
            async with asyncio.timeout(NEWS_S):
                while not isinstance(await self.events.get(), Ended | Close):
                    pass
        except TimeoutError:
            return False
        return True

    async def _release(self) -> None:
        """Take down what a room that goes on needs no more."""
        wanted = wishes(self.room)
        ears = [index for index in self._ears if index not in wanted.ears]
        booths = [language for language in self._booths if language not in wanted.open_booths]
        self._forget(ears, booths)
        self._house.places.fit(self.room, self.seats)
        self._house.publish()
        await delete_helpers(self._ari, self.room.name, ears, booths)

    async def _clear(self, partings: list[HangUp]) -> None:
        """Give the places back, and leave nothing of the room in Asterisk."""
        if self._timer:
            self._timer.cancel()
        ears, booths = [*self._ears, *self._torn[0]], [*self._booths, *self._torn[1]]
        self._ears, self._booths = {}, {}
        self._house.places.free(self.seats)
        self._house.publish()
        await _together(self._ari.hang_up(parting.channel, parting.cause) for parting in partings)
        await delete_helpers(self._ari, self.room.name, ears, booths)


async def delete_helpers(ari: Ari, room: str, ears: Iterable[int], booths: Iterable[str]) -> None:
    """Delete the ears of these legs and the booths of these languages, as far as they are there. Raises AriError."""
    channels, bridges = helpers_of(room, ears, booths)
    await _together(ari.hang_up(channel, NORMAL) for channel in channels)
    await _together(ari.delete_bridge(bridge) for bridge in bridges)


async def _together(steps: Iterable[Awaitable[None]]) -> None:
    """All at once, each to its end; then the first error. Cancelling would not stop what Asterisk was asked for."""
    results = await asyncio.gather(*steps, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def _in_stasis(entered: list[asyncio.Future[None]]) -> None:
    try:
        async with asyncio.timeout(ENTERS_STASIS_S):
            await asyncio.gather(*entered)
    except TimeoutError:
        raise UnreachableError(f"a channel did not enter Stasis within {ENTERS_STASIS_S:g} s") from None
