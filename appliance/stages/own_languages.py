"""Which language they are answered in whose own language is found out while they speak."""

from collections.abc import Sequence

from appliance.engines.protocols import AUTO
from appliance.frames.messages import Segment
from appliance.frames.roster import Lane, Leg


class OwnLanguages:
    """By room: at most one leg of a room is without a language of its own.

    `spoken` are the languages that there are voices for: the first that a speaker does not speak is for a listener
    who has said nothing yet.
    """

    def __init__(self, spoken: Sequence[str]) -> None:
        self._spoken = spoken
        self._by_room: dict[str, str] = {}

    def hear(self, segment: Segment, leg: Leg) -> None:
        """Somebody speaks."""
        if leg.language == AUTO:
            self._by_room[leg.room] = segment.language

    def target(self, lane: Lane, leg: Leg, segment: Segment) -> str:
        """The language that `segment` of `leg` has to be translated into for `lane`."""
        if lane.target_language != AUTO:
            return lane.target_language
        others = (each for each in self._spoken if not same_language(each, segment.language))
        return self._by_room.get(leg.room, next(others, segment.language))


def same_language(one: str, other: str) -> bool:
    """Whether two tags differ in their country only."""
    return one.partition("-")[0] == other.partition("-")[0]
