"""One leg of a room: whose channel, which language, and how far it has come."""

from dataclasses import dataclass, replace
from enum import Enum

from appliance.config import AUTO


class LegState(Enum):
    """How far a leg has come."""

    WAITING = "waiting"  # the caller, who hears ringback
    RINGING = "ringing"  # a callee whose phone rings
    TALKING = "talking"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Voice:
    """The voice on file that a leg's translations are spoken with, as the process `voices` has told; see the roster."""

    speaker: str = ""
    chosen_by: str = ""
    manner: int = 0


@dataclass(frozen=True, slots=True)
class Leg:
    """One person's side. `index` is its number in the room, for ever.

    Whose language `is_auto` has "auto" for one until it is found out.
    """

    index: int
    channel: str
    language: str
    state: LegState
    is_auto: bool = False
    phone: str = ""  # the person's number, as far as the network says
    voice: Voice = Voice()

    @property
    def is_here(self) -> bool:
        """Whether a person is on the line: talking, or waiting for the others."""
        return self.state in (LegState.WAITING, LegState.TALKING)

    @property
    def has_gone(self) -> bool:
        """Whether its channel has ended."""
        return self.state is LegState.GONE

    @property
    def is_unknown(self) -> bool:
        """Whether nobody knows yet what it speaks."""
        return self.language == AUTO

    def answered(self) -> "Leg":
        """It talks; a leg that has gone stays gone."""
        return self if self.has_gone else replace(self, state=LegState.TALKING)

    def gone(self) -> "Leg":
        """Its channel has ended."""
        return replace(self, state=LegState.GONE)
