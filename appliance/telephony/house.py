"""What the host of a room is told, and what all rooms share."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from appliance.telephony.ari import Ari
from appliance.telephony.legs import Voice
from appliance.telephony.places import Places
from appliance.telephony.routes import Fallback


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
class Spoke:
    """The leg with this channel speaks `language`; or really `foreign`, which nobody here interprets."""

    channel: str
    language: str
    foreign: str = ""


@dataclass(frozen=True, slots=True)
class Voiced:
    """The leg with this channel speaks with this voice in other languages."""

    channel: str
    voice: Voice


@dataclass(frozen=True, slots=True)
class Unclear:
    """It has not been found out in time what the leg with this channel speaks."""

    channel: str


@dataclass(frozen=True, slots=True)
class Close:
    """The appliance closes."""


News = Answered | Ended | Spoke | Voiced | Unclear | Close


@dataclass(frozen=True, slots=True)
class House:
    """What all rooms share."""

    ari: Ari
    places: Places
    media: str  # HOST:PORT of our socket
    entered: Callable[[str], asyncio.Future[None]]  # done when that channel enters Stasis; ask before making it
    publish: Callable[[], None]  # a room's part of the roster has changed
    fallback: Callable[[str], Fallback]  # of the route with this number
    report: Callable[[str, str, str], None]  # status, action and room: for operators
