"""The host of one room: does in Asterisk what the room needs, from the first ring until the last channel is deleted."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from appliance.config import Route
from appliance.frames.roster import Address, Roster
from appliance.telephony.ari import Ari, RefusedError, UnreachableError
from appliance.telephony.ari_messages import Channel
from appliance.telephony.causes import NORMAL, TEMPORARY_FAILURE, UNREGISTERED
from appliance.telephony.legs import Leg, LegState
from appliance.telephony.marks import (
    BOOTH_CONTEXT,
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
from appliance.telephony.places import Places, Seats, roster_of
from appliance.telephony.rooms import HangUp, Room, after_answer, after_end, farewells, wishes
from appliance.telephony.routes import caller_id

ENTERS_STASIS_S = 4.0
NEWS_S = 1.0


@dataclass(frozen=True, slots=True)
class Answered:
    """The leg with this channel has answered."""

    channel: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The leg with this channel has ended, for this Q.850 cause."""

    channel: str
    cause: int


@dataclass(frozen=True, slots=True)
class Close:
    """The appliance closes."""


@dataclass(frozen=True, slots=True)
class House:
    """What all rooms share."""

    ari: Ari
    places: Places
    media: str  # HOST:PORT of our socket
    entered: Callable[[str], asyncio.Future[None]]  # done when that channel enters Stasis; ask before making it
    publish: Callable[[], None]  # a room's part of the roster has changed


class RoomHost:
    """Serves one room: takes its `events` one after the other, until it is over."""

    def __init__(self, house: House, room: Room, seats: Seats) -> None:
        self.room = room
        self.seats = seats
        self.events: asyncio.Queue[Answered | Ended | Close] = asyncio.Queue()
        self.has_called = False  # all its legs have a channel
        self._house = house
        self._ari = house.ari
        # None: asked for, and perhaps there already.
        self._ears: dict[int, Address | None] = {}
        self._booths: dict[str, Address | None] = {}
        self._joined: set[int] = set()

    @classmethod
    def of_live(cls, house: House, live: LiveRoom) -> "RoomHost":
        """The host of a room that was there before us."""
        host = cls(house, live.room, live.seats)
        host._ears, host._booths = {**live.ears}, {**live.booths}
        host.has_called = True
        host._joined = {leg.index for leg in live.room.legs if leg.state is LegState.TALKING}
        return host

    def roster(self) -> Roster:
        """The room's part of the roster: empty unless people are being interpreted."""
        if self.room.is_over or not self._booths:
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
        await self._serve(_together(self._ari.subscribe(leg.channel) for leg in self.room.present))

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
        ears = [leg for leg in self.room.people if leg.index in wanted.ears and leg.index not in self._ears]
        booths = [language for language in wanted.booths if language not in self._booths]
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
                *(self._ari.leave_for(leg.channel, ROOM_CONTEXT, f"{name}-{leg.language}") for leg in coming),
            ]
        )
        self._joined |= {leg.index for leg in coming}

    async def _make_ear(self, leg: Leg) -> None:
        self._ears[leg.index] = None
        ear, snoop = ear_id(self.room.name, leg.index), snoop_id(self.room.name, leg.index)
        lanes = {language: place for (index, language), place in self.seats.lanes.items() if index == leg.index}
        mark = self._mark("ear", leg.language, leg=leg.index, lanes=lanes)
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
        return self._mark("leg", leg.language, leg=leg.index, place=self.seats.legs[leg.index])

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
        booths = [language for language in self._booths if language not in wanted.booths]
        for index in ears:
            del self._ears[index]
        for language in booths:
            del self._booths[language]
        self._house.places.fit(self.room, self.seats)
        self._house.publish()
        await delete_helpers(self._ari, self.room.name, ears, booths)

    async def _clear(self, partings: list[HangUp]) -> None:
        """Give the places back, and leave nothing of the room in Asterisk."""
        ears, booths = list(self._ears), list(self._booths)
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
