"""Which route a dialled number takes."""

from collections.abc import Iterable
from dataclasses import dataclass

from appliance.config import Config, Route
from appliance.telephony.ari_messages import Party

UNCHANGED_S = 20


def find_route(routes: Iterable[Route], number: str) -> Route | None:
    """The route of a dialled number; None: nobody has that number."""
    return next((route for route in routes if route.number == number), None)


@dataclass(frozen=True, slots=True)
class Fallback:
    """What a leg is taken to speak whose language has not been found out `after_s` after it began to talk."""

    language: str
    after_s: int


def fallback_of(config: Config, number: str) -> Fallback:
    """That of the route of a number; the box's first language is the first that it has a voice for."""
    route = find_route(config.routes, number)
    first = next(iter(config.engines.languages), "en")
    if route is None:  # the configuration has changed during the call
        return Fallback(first, UNCHANGED_S)
    return Fallback(route.fallback_language or first, route.fallback_s)


def callee_number(callee: str) -> str:
    """The number that a route calls through a trunk, or its phone's name: of "PJSIP/NUMBER@TRUNK" or "PJSIP/PHONE"."""
    return callee.removeprefix("PJSIP/").partition("@")[0]


def caller_id(caller: Party) -> str:
    """A caller as the callee's phone shows it: `"Name" <number>`, without a name's own quotes and angles."""
    return f'"{_plain(caller.name)}" <{_plain(caller.number)}>'


def _plain(text: str) -> str:
    return text.translate(str.maketrans("", "", '"<>\\\r\n'))
