"""A room as a value: its legs, what happens to it when one answers or goes, and what interpreting it takes."""

from dataclasses import dataclass, replace

from appliance.config import AUTO
from appliance.telephony.causes import NORMAL, cause_for_caller
from appliance.telephony.legs import Leg, LegState, Voice


@dataclass(frozen=True, slots=True)
class Wishes:
    """What interpreting a room takes.

    A place is kept for the lane and the booth of a language that is not known yet, under its name "auto".
    """

    lanes: tuple[tuple[int, str], ...]  # index of the speaking leg, target language
    booths: tuple[str, ...]  # languages
    open_booths: tuple[str, ...]  # those that are heard now
    ears: tuple[int, ...]  # indices of legs


@dataclass(frozen=True, slots=True)
class Room:
    """One conversation. `number` grows from room to room, also over a restart: it is the `call` of all its places.

    `route` is the number that was dialled.
    """

    name: str
    number: int
    legs: tuple[Leg, ...]
    route: str = ""

    @property
    def is_over(self) -> bool:
        """A room goes on as long as somebody is there, and somebody else is there or may still come."""
        return not self.people or len(self.present) < 2

    @property
    def present(self) -> tuple[Leg, ...]:
        """Legs whose channel has not ended."""
        return tuple(leg for leg in self.legs if not leg.has_gone)

    @property
    def people(self) -> tuple[Leg, ...]:
        """Legs with a person on the line."""
        return tuple(leg for leg in self.legs if leg.is_here)

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages of the present legs, in order of appearance."""
        return tuple(dict.fromkeys(leg.language for leg in self.present))

    def leg_of(self, channel: str) -> Leg | None:
        """The leg that has this channel."""
        return next((leg for leg in self.legs if leg.channel == channel), None)


@dataclass(frozen=True, slots=True)
class HangUp:
    """End this channel, with a Q.850 cause."""

    channel: str
    cause: int


def after_answer(room: Room, channel: str) -> Room:
    """A callee has answered: it talks, and so do all who waited."""
    return replace(
        room,
        legs=tuple(
            leg.answered() if leg.channel == channel or leg.state is LegState.WAITING else leg for leg in room.legs
        ),
    )


def after_end(room: Room, channel: str) -> Room:
    """A leg's channel has ended: the room without that leg. It may be over then."""
    return replace(room, legs=tuple(leg.gone() if leg.channel == channel else leg for leg in room.legs))


def after_language(room: Room, channel: str, language: str) -> Room:
    """It has been found out what a leg speaks, or that it speaks something else now."""
    legs = (replace(leg, language=language) if leg.channel == channel else leg for leg in room.legs)
    return replace(room, legs=tuple(legs))


def after_voice(room: Room, channel: str, voice: Voice) -> Room:
    """It is known whose voice a leg speaks with."""
    return replace(room, legs=tuple(replace(leg, voice=voice) if leg.channel == channel else leg for leg in room.legs))


def known_as(room: Room, language: str) -> str:
    """A language as the room has it already: people of two countries who share one need no interpreter."""
    base = language.partition("-")[0]
    return next((tag for tag in room.languages if tag.partition("-")[0] == base), language)


def conference(room: Room, leg: Leg) -> str:
    """The language whose conference a leg is in; whose language is unknown is with the first of the others.

    They hear each other as they are then.
    """
    if not leg.is_unknown:
        return leg.language
    return next((language for language in room.languages if language != AUTO), AUTO)


def farewells(room: Room, cause: int) -> list[HangUp]:
    """How everybody still present is hung up when the room ends because of `cause`.

    A caller who still waits is told why nobody comes; all others get a normal clearing.
    """
    waiting_cause = cause_for_caller(cause)
    return [HangUp(leg.channel, waiting_cause if leg.state is LegState.WAITING else NORMAL) for leg in room.present]


def wishes(room: Room) -> Wishes:
    """Each leg's speech in every other language, and a booth for each language that is spoken to.

    A leg of unknown language is heard as it is, in nobody's booth: what is translated of it waits until it is known.
    A leg that is `auto` has an ear also where nobody needs its translation: it may change its language.
    """
    lanes = tuple(
        (leg.index, language) for leg in room.present for language in room.languages if language != leg.language
    )
    known = {leg.index for leg in room.present if not leg.is_unknown}
    autos = [leg.index for leg in room.present if leg.is_auto]
    return Wishes(
        lanes=lanes,
        booths=tuple(dict.fromkeys(language for _, language in lanes)),
        open_booths=tuple(dict.fromkeys(to for index, to in lanes if index in known and to != AUTO)),
        ears=tuple(dict.fromkeys([*(index for index, _ in lanes), *autos])),
    )
