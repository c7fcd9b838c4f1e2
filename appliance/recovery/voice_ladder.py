"""The upper rungs of a lane's ladder: the speaker's own voice, a stock voice; and what is told of each step."""

from dataclasses import dataclass
from enum import Enum

# Why somebody's own voice is not spoken with where it should be. The position is the address: append, eight at most.
REASONS = (
    "missing",  # there is no such voice (any more)
    "damaged",  # it cannot be read
    "consent",  # there is none, or it has ended
    "store",  # nobody can look it up
    "refused",  # anything else that the store says
    "engine",  # the engine fails with it
    "another_engine",  # it was enrolled for one that does not speak here
    "no_cloning",  # the engine clones no voices
)


class Step(Enum):
    """What has become of a lane's voice with one more clause."""

    STAYS = "stays"
    FIRST = "first"  # it is settled what it is, for the first time or for another reason
    DOWN = "down"  # it was the speaker's own
    UP = "up"  # it is the speaker's own again


@dataclass(frozen=True, slots=True)
class VoiceRung:
    """Where a lane stands. `why`: why it is a stock voice, "" where that is all there is to be."""

    is_own: bool = False
    was_own: bool = False  # at any time in this call
    why: str = ""


def next_voice_rung(rung: VoiceRung, is_own: bool, why: str) -> tuple[VoiceRung, Step]:
    """After a clause in the speaker's own voice or in a stock voice. It changes between clauses, never within one."""
    after = VoiceRung(is_own, rung.was_own or is_own, "" if is_own else why)
    if after.is_own is not rung.is_own:
        came_back = is_own and rung.was_own
        return after, Step.UP if came_back else Step.FIRST if is_own else Step.DOWN
    return after, Step.FIRST if after.why != rung.why and after.why else Step.STAYS
