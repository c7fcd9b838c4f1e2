"""Whether Asterisk reaches the trunks: asked now and then, told when it has changed."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from appliance import clock
from appliance.frames.messages import HealthEvent
from appliance.telephony.ari import Ari, AriError

LOOK_S = 5.0  # Asterisk itself asks each trunk every 10 s (qualify_frequency)
REACHED = {"online": True, "offline": False}  # by the state of the endpoint


class Trunks:
    """The trunks called `names`.

    `tell` takes what operators should know; `show`, for each trunk, whether it is reached, None: nobody knows.
    """

    def __init__(
        self,
        ari: Ari,
        names: Sequence[str],
        tell: Callable[[HealthEvent], None],
        show: Callable[[Sequence[bool | None]], None],
    ) -> None:
        self._ari = ari
        self._tell = tell
        self._show = show
        self._reached: dict[str, bool | None] = dict.fromkeys(names)
        self._missed: set[str] = set()  # of which that was told

    async def watch(self) -> None:
        """Look again and again; never returns."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Ask Asterisk once. While it does not answer itself, nothing is known."""
        for name, before in self._reached.items():
            try:
                reached = REACHED.get(await self._ari.endpoint_state(name))
            except (AriError, msgspec.DecodeError):
                reached = None
            self._reached[name] = reached
            if reached is before is False and name not in self._missed:  # a single time, Asterisk may have just begun
                self._missed.add(name)
                self._event(name, "UNREACHABLE", "calls through it fail")
            elif reached and name in self._missed:
                self._missed.remove(name)
                self._event(name, "REACHED", "calls through it work again")
        self._show(list(self._reached.values()))

    def _event(self, name: str, status: str, action: str) -> None:
        self._tell(HealthEvent(f"trunk/{name}", status, action, clock.now_ns()))
