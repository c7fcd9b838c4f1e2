"""Several real calls through one appliance: a private Asterisk, the box, and two softphones for each call."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from appliance.config import Config, Phone, Route
from appliance.demo.asterisk import PrivateAsterisk, asterisk_tree, with_free_ports
from appliance.demo.box import Box
from appliance.demo.call import ANSWER_S
from appliance.demo.say import Turn
from appliance.demo.softphone import Softphone

FIRST_NUMBER = 1001


def fleet_config(base: Config, instance: str, languages: tuple[str, str], calls: int) -> Config:
    """`base` with free ports and a route for each call: its caller speaks the first language, its callee the second."""
    names = [tuple(f"demo-{number}-{language}" for language in languages) for number in range(1, calls + 1)]
    phones = tuple(Phone(name=name, password=f"secret-{name}") for pair in names for name in pair)
    routes = tuple(
        Route(str(FIRST_NUMBER + place), languages[0], languages[1], f"PJSIP/{callee}")
        for place, (_, callee) in enumerate(names)
    )
    asterisk = msgspec.structs.replace(base.asterisk, ari_password="demo")
    changed = {"instance": instance, "asterisk": asterisk, "phones": phones, "trunks": (), "routes": routes}
    return with_free_ports(msgspec.structs.replace(base, max_legs=2 * calls, max_lanes=2 * calls, **changed))


class FleetCall:
    """One of the calls, up or not."""

    def __init__(self, number: str, caller: Softphone, callee: Softphone, languages: tuple[str, str]) -> None:
        self.number = number
        self.phones = (caller, callee)
        self.is_up = False
        self._by_language = dict(zip(languages, self.phones, strict=True))

    def dial(self) -> None:
        """Returns when both are in their rooms' sound. Raises SoftphoneError."""
        caller, callee = self.phones
        caller.call(self.number)
        for phone in (callee, caller):
            phone.wait_for("ESTABLISHED", ANSWER_S)
        for phone in self.phones:
            phone.wait_for("RTPESTAB", ANSWER_S)
        self.is_up = True

    def say(self, turn: Turn) -> None:
        """One person speaks; returns at once."""
        self._by_language[turn.language].say(turn.samples)

    def hang_up(self) -> None:
        """The caller hangs up; returns when both have. Raises SoftphoneError."""
        caller, callee = self.phones
        caller.hang_up()
        for phone in (caller, callee):
            phone.wait_for("CLOSED", ANSWER_S)
        self.is_up = False

    @property
    def was_lost(self) -> bool:
        """Whether it has ended by itself."""
        return any(phone.hung_up for phone in self.phones)


class Fleet:
    """A context manager: everything is there inside, no call is up; nothing runs after it."""

    def __init__(self, config: Config, directory: Path) -> None:
        self.asterisk = PrivateAsterisk(asterisk_tree(config), directory / "asterisk", config)
        self.box = Box(config, directory)
        made = [
            Softphone(
                phone.name, directory / phone.name, config.asterisk.sip_port, password=phone.password, registers=True
            )
            for phone in config.phones
        ]
        languages = (config.routes[0].caller_language, config.routes[0].callee_language)
        self.calls: Sequence[FleetCall] = [
            FleetCall(route.number, caller, callee, languages)
            for route, caller, callee in zip(config.routes, made[::2], made[1::2], strict=True)
        ]
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            opened.callback(self.box.stop)
            self.box.start()
            opened.enter_context(self.asterisk)
            for call in self.calls:
                for phone in call.phones:
                    opened.enter_context(phone)
            self.box.wait_until_ready()
            self._open = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.close()
