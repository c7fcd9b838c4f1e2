"""The switchboard: which event is for which room, who gets a room, and which rooms go on after a restart."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import Protocol
from weakref import WeakValueDictionary

from appliance import clock
from appliance.config import AUTO, Config, Route
from appliance.frames.messages import HealthEvent, LanguageFound, SpeakerFound
from appliance.frames.roster import Roster
from appliance.telephony.ari import Ari, AriError
from appliance.telephony.ari_messages import Bridge, Channel, Event
from appliance.telephony.causes import TEMPORARY_FAILURE, UNALLOCATED
from appliance.telephony.enrolment import EnrolmentDesk
from appliance.telephony.house import Answered, Close, Ended, House, Spoke, Voiced
from appliance.telephony.legs import Leg, LegState, Voice
from appliance.telephony.marks import FoundRoom, find_rooms, revive, room_of
from appliance.telephony.places import HouseFullError, Places, Seats, check_load
from appliance.telephony.refusal import refuse
from appliance.telephony.room_host import RoomHost, delete_helpers
from appliance.telephony.rooms import Room, farewells
from appliance.telephony.routes import callee_number, fallback_of, find_route

# Together less than the time that a process has between SIGTERM and SIGKILL.
CLOSING_S = 2.5
LAST_LOOK_S = 1.5
LAST_CALLERS_S = 0.5
SECOND_LOOK_S = 1.0
INCOMING_CONTEXT = "dragoman-in"
AWAY_LABEL = "away"
LONGEST_NUMBER = 32


class Board(Protocol):
    """Where the roster is published. `roster_version` grows with each writing."""

    @property
    def roster_version(self) -> int: ...

    def write_roster(self, roster: Roster) -> int: ...


class Switchboard:
    """All calls of the appliance.

    `tell` takes what operators should know; `count` is called with the name of a counter.
    """

    def __init__(
        self,
        config: Config,
        ari: Ari,
        board: Board,
        tell: Callable[[HealthEvent], None],
        count: Callable[[str], None],
    ) -> None:
        self._ari = ari
        self._board = board
        self._tell = tell
        self._count = count
        self._routes = config.routes
        self._capacity = config.capacity
        self._places = Places(config.max_legs, config.max_lanes)
        media = f"{config.media.host}:{config.media.port}"
        fallback = partial(fallback_of, config)
        self._house = House(ari, self._places, media, self._entered, self._publish, fallback, self._report)
        self._desk = EnrolmentDesk(config, ari, self._report, self._start, self._send_away)
        self._rooms: dict[str, RoomHost] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._entering: WeakValueDictionary[str, asyncio.Future[None]] = WeakValueDictionary()
        self._last_number = 0
        self._closing = False

    def take(self, event: Event) -> None:
        """One event of ARI."""
        channel = event.channel
        if self._desk.take(event) or channel is None:
            return
        if event.type == "StasisStart":
            self._arrived(channel, event.args)
        elif event.type == "ChannelDestroyed" and (host := self._host_of(channel.id)):
            host.events.put_nowait(Ended(channel.id, event.cause))

    def heard(self, found: LanguageFound) -> None:
        """What somebody speaks, as asr has found out."""
        for host, leg in self._at(found.leg, found.call):
            if leg.is_auto:
                host.events.put_nowait(Spoke(leg.channel, found.language, found.foreign))

    def recognised(self, found: SpeakerFound) -> None:
        """Whose voice somebody speaks with, as the process `voices` has found out."""
        voice = Voice(found.speaker, found.chosen_by, found.manner)
        for host, leg in self._at(found.leg, found.call):
            if leg.voice != voice:
                host.events.put_nowait(Voiced(leg.channel, voice))

    def _at(self, place: int, call: int) -> Iterator[tuple[RoomHost, Leg]]:
        """The leg that has this place in this call, if it is still there."""
        for host in self._rooms.values():
            leg = next((leg for leg in host.room.present if host.seats.legs.get(leg.index) == place), None)
            if leg and host.room.number == call:
                yield host, leg

    async def resync(self) -> None:
        """Compare with what is in Asterisk: legs that are gone leave their rooms, rooms without a host get one or go.

        Raises AriError.
        """
        expected = {leg.channel: host for host in self._rooms.values() if host.has_called for leg in host.room.present}
        channels, bridges = await asyncio.gather(self._ari.channels(), self._ari.bridges())
        for lost in expected.keys() - {channel.id for channel in channels}:
            expected[lost].events.put_nowait(Ended(lost, TEMPORARY_FAILURE))
        for found in find_rooms(channels, self._ari.application).values():
            if found.name not in self._rooms and not self._adopt(found, bridges):
                await self._remove(found)
        await self._delete_stray_bridges(bridges)
        self._publish()
        for channel in channels:
            if _waits_for_us(channel, self._ari.application) and not self._host_of(channel.id):
                self._admit(channel, channel.dialplan.exten)
        await self._desk.resync(channels)

    async def close(self) -> None:
        """Hang up everybody and leave nothing in Asterisk."""
        self._closing = True
        for host in self._rooms.values():
            host.events.put_nowait(Close())
        await asyncio.gather(self._desk.close(), self._settle(CLOSING_S))
        try:
            async with asyncio.timeout(LAST_LOOK_S):
                for found in find_rooms(await self._ari.channels(), self._ari.application).values():
                    await self._remove(found)
        except (AriError, TimeoutError) as error:
            self._report("DEGRADED", f"closed without having seen Asterisk empty: {error}")
        await self._settle(LAST_CALLERS_S)

    async def _settle(self, timeout_s: float) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)

    def _arrived(self, channel: Channel, arguments: tuple[str, ...]) -> None:
        entering, host = self._entering.get(channel.id), self._host_of(channel.id)
        if entering is not None and not entering.done():
            entering.set_result(None)
        elif host is not None:
            host.events.put_nowait(Answered(channel.id))
        elif arguments[:1] == ("call",):
            self._admit(channel, arguments[1])
        elif arguments[:1] == ("enrol",):
            self._desk.admit(channel, arguments[1])

    def _admit(self, caller: Channel, number: str) -> None:
        """Give a caller a room, or turn it away."""
        route = find_route(self._routes, number)
        if route is None:
            self._report("REFUSED", f"nobody has the number {number}")
            self._start(self._ari.hang_up(caller.id, UNALLOCATED))
        elif self._closing:  # as if we were away already
            self._start(self._send_away(caller.id, number))
        else:
            try:
                host = self._new_host(caller, route)
            except HouseFullError as error:
                self._turn_away(caller, route, error)
                return
            self._count("calls")
            self._open(host, host.call(caller, route))

    async def _send_away(self, channel: str, number: str) -> None:
        await self._ari.leave_for(channel, INCOMING_CONTEXT, number, AWAY_LABEL)

    def _turn_away(self, caller: Channel, route: Route, full: HouseFullError) -> None:
        """Who is not interpreted now is told to call again, or connected as they are: as their route says."""
        self._count("full")
        if route.when_full == "untranslated":
            self._report("DEGRADED", f"a call to {route.number} is not interpreted: {full}")
            self._start(self._send_away(caller.id, route.number))
        else:
            self._report("REFUSED", f"no room for a call to {route.number}: {full}")
            self._start(refuse(self._ari, caller.id, self._capacity.retry_s))

    def _new_host(self, caller: Channel, route: Route) -> RoomHost:
        name = f"r{secrets.token_hex(4)}"
        # Each room is published and taken off again: the version is ahead of all numbers given before a restart.
        self._last_number = max(self._last_number, self._board.roster_version) + 1
        legs = (
            Leg(
                0,
                caller.id,
                route.caller_language,
                LegState.WAITING,
                route.caller_language == AUTO,
                _short(caller.caller.number),
            ),
            Leg(
                1,
                f"{name}-leg1",
                route.callee_language,
                LegState.RINGING,
                route.callee_language == AUTO,
                _short(callee_number(route.callee)),
            ),
        )
        room, seats = Room(name, self._last_number, legs, route.number), Seats()
        check_load(room, (host.room for host in self._rooms.values()), self._capacity.most_calls)
        self._places.fit(room, seats)
        return RoomHost(self._house, room, seats)

    def _adopt(self, found: FoundRoom, bridges: Iterable[Bridge]) -> bool:
        """Go on with a room that was there before us, if that is possible."""
        live = revive(found, bridges)
        if live is None:
            return False
        try:
            self._places.resume(live.room, live.seats)
        except HouseFullError:
            return False
        self._last_number = max(self._last_number, live.room.number)
        host = RoomHost.of_live(self._house, live)
        self._report("UP", "went on with a room from before the restart", found.name)
        self._open(host, host.serve())
        return True

    async def _remove(self, found: FoundRoom) -> None:
        self._report("UP", "cleared a room that could not go on", found.name)
        for parting in farewells(room_of(found), TEMPORARY_FAILURE):
            await self._ari.hang_up(parting.channel, parting.cause)
        await delete_helpers(self._ari, found.name, {*found.legs, *found.ears}, found.booths)

    async def _delete_stray_bridges(self, bridges: Iterable[Bridge]) -> None:
        for bridge in bridges:
            if bridge.name == self._ari.application and bridge.id.partition("-")[0] not in self._rooms:
                await self._ari.delete_bridge(bridge.id)

    def _open(self, host: RoomHost, serving: Awaitable[None]) -> None:
        self._rooms[host.room.name] = host  # at once: the next event may be for this room
        self._start(self._serve(host, serving))

    async def _serve(self, host: RoomHost, serving: Awaitable[None]) -> None:
        try:
            await serving
        except AriError as error:
            self._report("DEGRADED", f"gave up a room: {error}", host.room.name)
            self._start(self._look_again())
        finally:
            del self._rooms[host.room.name]

    async def _look_again(self) -> None:
        """What a failed host has left behind is cleared as soon as Asterisk can be reached."""
        await asyncio.sleep(SECOND_LOOK_S)
        await self.resync()

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(self._quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _quietly(self, work: Awaitable[None]) -> None:
        try:
            await work
        except AriError as error:
            self._report("DEGRADED", str(error))

    def _host_of(self, channel: str) -> RoomHost | None:
        return next((host for host in self._rooms.values() if host.room.leg_of(channel)), None)

    def _entered(self, channel: str) -> asyncio.Future[None]:
        self._entering[channel] = future = asyncio.get_running_loop().create_future()
        return future

    def _publish(self) -> None:
        parts = [host.roster() for host in self._rooms.values()]
        self._board.write_roster(
            Roster(
                legs=tuple(leg for part in parts for leg in part.legs),
                lanes=tuple(lane for part in parts for lane in part.lanes),
                booths=tuple(booth for part in parts for booth in part.booths),
            )
        )

    def _report(self, status: str, action: str, room: str = "") -> None:
        self._tell(HealthEvent("calls", status, action, clock.now_ns(), session_id=room))


def _short(number: str) -> str:
    """As much of a number as the roster has room for; the longest one of the telephone network has 15 digits."""
    return number[:LONGEST_NUMBER]


def _waits_for_us(channel: Channel, application: str) -> bool:
    """Whether a caller stands in our Stasis application without a room: it arrived when nobody listened."""
    position = channel.dialplan
    return (
        position.app_name == "Stasis"
        and position.app_data.startswith(f"{application},call,")
        and channel.state == "Ring"
    )
