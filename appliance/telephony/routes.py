"""Which route a dialled number takes."""

from collections.abc import Iterable

from appliance.config import Route
from appliance.telephony.ari_messages import Party


def find_route(routes: Iterable[Route], number: str) -> Route | None:
    """The route of a dialled number; None: nobody has that number."""
    return next((route for route in routes if route.number == number), None)


def caller_id(caller: Party) -> str:
    """A caller as the callee's phone shows it: `"Name" <number>`, without a name's own quotes and angles."""
    return f'"{_plain(caller.name)}" <{_plain(caller.number)}>'


def _plain(text: str) -> str:
    return text.translate(str.maketrans("", "", '"<>\\\r\n'))
