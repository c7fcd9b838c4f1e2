"""Places: which uplink, downlink and booth numbers are in use. What the appliance can carry is decided here."""

from collections import deque
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from appliance.config import AUTO
from appliance.frames import roster
from appliance.frames.roster import Address, Roster
from appliance.telephony.legs import Leg
from appliance.telephony.rooms import Room, wishes


class HouseFullError(Exception):
    """All places of a kind are taken; the message says which."""


def check_load(room: Room, others: Iterable[Room], most_calls: int) -> None:
    """Whether one more room can be interpreted beside the others; 0: as many as there are places for.

    Raises HouseFullError. People of one language cost the engines nothing.
    """
    running = sum(bool(wishes(other).lanes) for other in others)
    if most_calls and wishes(room).lanes and running >= most_calls:
        raise HouseFullError(
            f"as many calls as this machine can do are interpreted now (capacity.most_calls = {most_calls})"
        )


@dataclass(slots=True)
class Seats:
    """The places of one room: of legs by index, of lanes by (leg, language), of booths by language."""

    legs: dict[int, int] = field(default_factory=dict)
    lanes: dict[tuple[int, str], int] = field(default_factory=dict)
    booths: dict[str, int] = field(default_factory=dict)


Use = TypeVar("Use", bound=Hashable)


class _Stock:
    """Numbered places of one kind. The one that has been free for longest is taken first."""

    def __init__(self, kind: str, count: int) -> None:
        self._kind = kind
        self._count = count
        self._free = deque(range(count))

    def take_for(self, wanted: Sequence[Use], had: Mapping[Use, int], new: dict[Use, int]) -> None:
        """A free place in `new` for each wanted use that had none."""
        for use in wanted:
            if use not in had:
                if not self._free:
                    raise HouseFullError(f"all {self._count} {self._kind} are taken")
                new[use] = self._free.popleft()

    def settle(self, wanted: Sequence[Use], had: dict[Use, int], new: Mapping[Use, int]) -> None:
        """Add the new ones to those had before, and give back what is not wanted any more."""
        self._free.extend(had.pop(use) for use in [*had] if use not in wanted)
        had.update(new)

    def has(self, places: Collection[int]) -> bool:
        """Whether all of these are free."""
        return set(places) <= set(self._free)

    def claim(self, places: Collection[int]) -> None:
        """Take exactly these, which are free."""
        for place in places:
            self._free.remove(place)

    def give_back(self, places: Iterable[int]) -> None:
        """These are free again."""
        self._free.extend(places)


class Places:
    """All places of the appliance."""

    def __init__(self, max_legs: int, max_lanes: int) -> None:
        self._legs = _Stock("legs (max_legs)", max_legs)
        self._lanes = _Stock("lanes (max_lanes)", max_lanes)
        self._booths = _Stock("booths", max_lanes)  # each booth has a lane of its own at least

    def fit(self, room: Room, seats: Seats) -> None:
        """Make `seats` what the room needs now: what it has stays, what it lacks is taken, the rest is given back.

        Raises HouseFullError when there are not enough places; `seats` is then as it was.
        """
        wanted, new = wishes(room), Seats()
        indices = [leg.index for leg in room.present]
        try:
            self._legs.take_for(indices, seats.legs, new.legs)
            self._lanes.take_for(wanted.lanes, seats.lanes, new.lanes)
            self._booths.take_for(wanted.booths, seats.booths, new.booths)
        except HouseFullError:
            self.free(new)
            raise
        self._legs.settle(indices, seats.legs, new.legs)
        self._lanes.settle(wanted.lanes, seats.lanes, new.lanes)
        self._booths.settle(wanted.booths, seats.booths, new.booths)

    def refit(self, room: Room, seats: Seats) -> None:
        """The same when somebody speaks another language now: what is not needed any more is given back first.

        Raises HouseFullError; what is still needed of `seats` is there then.
        """
        wanted = wishes(room)
        self._lanes.settle(wanted.lanes, seats.lanes, {})
        self._booths.settle(wanted.booths, seats.booths, {})
        self.fit(room, seats)

    def resume(self, room: Room, seats: Seats) -> None:
        """Take exactly the places in `seats`, for a room that had them before, and those that it lacks.

        Raises HouseFullError if one of them is not free; none is taken then.
        """
        claims = (
            (self._legs, seats.legs.values()),
            (self._lanes, seats.lanes.values()),
            (self._booths, seats.booths.values()),
        )
        if not all(stock.has(places) for stock, places in claims):
            raise HouseFullError("the places of a room that runs are not free, or not there any more")
        for stock, places in claims:
            stock.claim(places)
        try:
            self.fit(room, seats)
        except HouseFullError:
            self.free(seats)
            raise

    def free(self, seats: Seats) -> None:
        """Give all of them back."""
        self._legs.give_back(seats.legs.values())
        self._lanes.give_back(seats.lanes.values())
        self._booths.give_back(seats.booths.values())


def roster_of(
    room: Room, seats: Seats, ears: Mapping[int, Address | None], booths: Mapping[str, Address | None]
) -> Roster:
    """A room's part of the roster: what has a place, with the addresses known so far."""
    wanted = wishes(room)
    return Roster(
        legs=tuple(_leg(room, leg, seats.legs[leg.index], ears.get(leg.index)) for leg in room.present),
        lanes=tuple(
            roster.Lane(seats.lanes[lane], room.number, seats.legs[lane[0]], lane[1], seats.booths[lane[1]])
            for lane in wanted.lanes
            if lane[1] != AUTO
        ),
        booths=tuple(
            roster.Booth(seats.booths[language], room.name, language, booths.get(language))
            for language in wanted.booths
            if language != AUTO
        ),
    )


def _leg(room: Room, leg: Leg, place: int, ear: Address | None) -> roster.Leg:
    found = leg.language if leg.is_auto and not leg.is_unknown else ""
    return roster.Leg(
        place=place,
        call=room.number,
        room=room.name,
        language=AUTO if leg.is_auto else leg.language,
        ear=ear,
        route=room.route,
        found=found,
        index=leg.index,
        phone=leg.phone,
        speaker=leg.voice.speaker,
        chosen_by=leg.voice.chosen_by,
        manner=leg.voice.manner,
    )
