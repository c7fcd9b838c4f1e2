"""Marks: what we write on our channels in Asterisk, and how a restarted appliance makes rooms out of them again."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from appliance.frames.roster import Address
from appliance.telephony.ari import RefusedError
from appliance.telephony.ari_messages import LOCAL_ADDRESS, LOCAL_PORT, Bridge, Channel
from appliance.telephony.legs import Leg, LegState
from appliance.telephony.places import Seats
from appliance.telephony.rooms import Room, wishes

VARIABLE = "DRAGOMAN"
ROOM_CONTEXT = "dragoman-room"
BOOTH_CONTEXT = "dragoman-booth"
MOVE_CONTEXT = "dragoman-move"


Role = Literal["leg", "ear", "booth"]


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whose a channel is. `place` is that of the leg or the booth; `lanes` are those of an ear, by language."""

    application: str
    room: str
    number: int
    role: Role
    language: str
    place: int = -1
    leg: int = -1
    lanes: dict[str, int] = {}
    route: str = ""
    is_auto: bool = False  # of a leg: its language is found out
    phone: str = ""  # of a leg: the person's number

    def text(self) -> str:
        """As the value of the channel variable."""
        return msgspec.json.encode(self).decode()


def mark_of(channel: Channel, application: str) -> Mark | None:
    """The mark on a channel, if it is one of this application's."""
    try:
        mark = msgspec.json.decode(channel.channelvars.get(VARIABLE, ""), type=Mark)
    except msgspec.DecodeError:
        return None
    return mark if mark.application == application else None


def local_address(channel: Channel) -> Address:
    """Where Asterisk listens for an externalMedia channel, and sends from. Raises RefusedError if it does not say."""
    try:
        return Address(channel.channelvars[LOCAL_ADDRESS], int(channel.channelvars[LOCAL_PORT]))
    except (KeyError, ValueError):
        raise RefusedError(f"ari.conf needs channelvars = {LOCAL_ADDRESS},{LOCAL_PORT},{VARIABLE}") from None


def ear_id(room: str, leg: int) -> str:
    """The channel that carries a leg's speech to us."""
    return f"{room}-ear{leg}"


def snoop_id(room: str, leg: int) -> str:
    """The channel that listens to a leg."""
    return f"{room}-snoop{leg}"


def ear_bridge_id(room: str, leg: int) -> str:
    """The bridge of an ear's two channels."""
    return f"{room}-bridge{leg}"


def booth_id(room: str, language: str) -> str:
    """The channel that speaks one language into the room."""
    return f"{room}-booth-{language}"


def helpers_of(room: str, legs: Iterable[int], languages: Iterable[str]) -> tuple[list[str], list[str]]:
    """Every channel and every bridge that a room with these legs and languages may have beside its legs."""
    legs = list(legs)
    channels = [name(room, leg) for leg in legs for name in (ear_id, snoop_id)]
    channels += [booth_id(room, language) for language in languages]
    return channels, [ear_bridge_id(room, leg) for leg in legs]


@dataclass(slots=True)
class FoundRoom:
    """The channels of one room that are in Asterisk now, with their marks."""

    name: str
    legs: dict[int, tuple[Channel, Mark]] = field(default_factory=dict)
    ears: dict[int, tuple[Channel, Mark]] = field(default_factory=dict)
    booths: dict[str, tuple[Channel, Mark]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LiveRoom:
    """A room that can go on: everything that its host must know.

    `conferences`: the language whose conference each leg is in. `torn` is what was caught in the middle of being made
    or taken down, or is not needed: ears by leg, booths by language.
    """

    room: Room
    seats: Seats
    ears: dict[int, Address]
    booths: dict[str, Address]
    conferences: dict[int, str] = field(default_factory=dict)
    torn: tuple[tuple[int, ...], tuple[str, ...]] = ((), ())


def find_rooms(channels: Iterable[Channel], application: str) -> dict[str, FoundRoom]:
    """Sort this application's channels into rooms, by name."""
    rooms: dict[str, FoundRoom] = {}
    for channel in channels:
        if mark := mark_of(channel, application):
            room = rooms.setdefault(mark.room, FoundRoom(mark.room))
            if mark.role == "leg":
                room.legs[mark.leg] = channel, mark
            elif mark.role == "ear":
                room.ears[mark.leg] = channel, mark
            else:
                room.booths[mark.language] = channel, mark
    return rooms


def room_of(found: FoundRoom) -> Room:
    """What the channels say about their room."""
    legs = [
        Leg(index, channel.id, _language(found, index), _state(index, channel), mark.is_auto, mark.phone)
        for index, (channel, mark) in sorted(found.legs.items())
    ]
    marks = [mark for _, mark in found.legs.values()]
    number = max((mark.number for mark in marks), default=0)
    return Room(found.name, number, tuple(legs), max((mark.route for mark in marks), default=""))


def revive(found: FoundRoom, bridges: Iterable[Bridge]) -> LiveRoom | None:
    """The room as it was, if nothing of it is missing; None: it cannot go on.

    A room whose callee still rings needs no more than its legs. One in which people talk needs each ear in its bridge
    and each booth in its ConfBridge; less than that was caught in the middle of being set up, or taken down. Only where
    a leg may change its language, that is mended: such a room is caught in the middle of a change more easily.
    """
    room = room_of(found)
    if room.is_over:
        return None
    seats = Seats(legs={index: mark.place for index, (_, mark) in found.legs.items()})
    if not any(leg.state is LegState.TALKING for leg in room.legs):
        return LiveRoom(room, seats, {}, {})
    if not all(channel.dialplan.context == ROOM_CONTEXT for channel, _ in found.legs.values()):
        return None
    ears, booths = _whole_ears(room, found, bridges), _whole_booths(room, found)
    torn = (tuple(found.ears.keys() - set(ears)), tuple(found.booths.keys() - set(booths)))
    wanted = wishes(room)
    is_complete = torn == ((), ()) and len(ears) == len(wanted.ears) and len(booths) == len(wanted.open_booths)
    if not is_complete and not any(leg.is_auto for leg in room.legs):
        return None
    for index in ears:
        _, mark = found.ears[index]
        seats.lanes |= {(index, language): place for language, place in mark.lanes.items()}
    seats.booths = {language: found.booths[language][1].place for language in booths}
    conferences = {
        index: channel.dialplan.exten.removeprefix(f"{found.name}-") for index, (channel, _) in found.legs.items()
    }
    return LiveRoom(room, seats, ears, booths, conferences, torn)


def _state(index: int, channel: Channel) -> LegState:
    if channel.state == "Up":
        return LegState.TALKING
    return LegState.WAITING if index == 0 else LegState.RINGING


def _language(found: FoundRoom, leg: int) -> str:
    """What a leg speaks; where that may change, its ear's mark is brought up to date."""
    _, mark = found.legs[leg]
    return found.ears[leg][1].language if mark.is_auto and leg in found.ears else mark.language


def _whole_ears(room: Room, found: FoundRoom, bridges: Iterable[Bridge]) -> dict[int, Address]:
    """Those that are needed and in their bridges."""
    bridged = {channel for bridge in bridges for channel in bridge.channels}
    return {
        leg: local_address(found.ears[leg][0])
        for leg in wishes(room).ears
        if leg in found.ears and {ear_id(room.name, leg), snoop_id(room.name, leg)} <= bridged
    }


def _whole_booths(room: Room, found: FoundRoom) -> dict[str, Address]:
    """Those that are needed and in their conferences."""
    there = {tag: channel for tag, (channel, _) in found.booths.items() if channel.dialplan.context == BOOTH_CONTEXT}
    return {tag: local_address(there[tag]) for tag in wishes(room).open_booths if tag in there}
