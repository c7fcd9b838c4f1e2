"""What is wrong with routes and emergency numbers whose types are right: sentences for whoever wrote them."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from appliance.toml_shape import shown

if TYPE_CHECKING:
    from appliance.config import Config, Route

LANGUAGE_TAG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*", re.IGNORECASE)  # RFC 5646, as much as telephony needs
DIALLED = r"[0-9*#+]+"


def emergency_problems(config: "Config") -> Iterator[str]:
    """What is wrong with the numbers for emergencies, and where they lead."""
    for number in config.emergency.numbers:
        if not re.fullmatch(DIALLED, number):
            yield f"emergency.numbers: {shown(number)} cannot be dialled; use digits, *, # and +"
    for place, route in enumerate(config.routes):
        if route.number in config.emergency.numbers:
            yield (
                f"routes[{place}].number: {shown(route.number)} is an emergency number, which is never interpreted; "
                "choose another one, or take it off emergency.numbers"
            )
    if config.emergency.trunk and config.emergency.trunk not in {trunk.name for trunk in config.trunks}:
        yield (
            f"emergency.trunk: there is no trunk called {shown(config.emergency.trunk)}; add it under [[trunks]] "
            "or correct the name"
        )


def enrolment_problems(config: "Config") -> Iterator[str]:
    """What is wrong with the number that is dialled to enrol."""
    number, path = config.voices.enrolment_number, "voices.enrolment_number"
    if number and not re.fullmatch(DIALLED, number):
        yield f"{path}: {shown(number)} cannot be dialled; use digits, *, # and +"
    if number and number in (*config.emergency.numbers, *(route.number for route in config.routes)):
        yield f"{path}: {shown(number)} leads somewhere else already; choose another one"
    for name in config.voices.enrolment_trunks:
        if name not in {trunk.name for trunk in config.trunks}:
            yield (
                f"voices.enrolment_trunks: there is no trunk called {shown(name)}; add it under [[trunks]] "
                "or correct the name"
            )


def route_problems(route: "Route", path: str, config: "Config") -> Iterator[str]:
    """What is wrong with a route at this place in the file."""
    if not re.fullmatch(DIALLED, route.number):
        yield f"{path}.number: {shown(route.number)} cannot be dialled; use digits, *, # and +"
    if not 5 <= route.ring_s <= 600:
        yield f"{path}.ring_s: {route.ring_s} is out of range; write a number from 5 to 600"
    if not route.known:
        yield f'{path}.callee_language: only one of the two can be "auto"; write the other one\'s language'
    for key, language in route.known.items():
        yield from language_problems(language, f"{path}.{key}")
    yield from _fallback_problems(route, path)
    yield from _callee_problems(route.callee, f"{path}.callee", config)


def _fallback_problems(route: "Route", path: str) -> Iterator[str]:
    if not 2 <= route.fallback_s <= 600:
        yield f"{path}.fallback_s: {route.fallback_s} is out of range; write a number from 2 to 600"
    if not route.fallback_language:
        return
    yield from language_problems(route.fallback_language, f"{path}.fallback_language")
    if not route.is_auto:
        yield f'{path}.fallback_language: no side of this route is "auto"; leave it out'


def language_problems(language: str, path: str) -> Iterator[str]:
    """What is wrong with the tag of a language at this place in the file."""
    if not LANGUAGE_TAG.fullmatch(language):
        better = language.replace("_", "-")
        advice = f'write "{better}"' if LANGUAGE_TAG.fullmatch(better) else 'write one like "en" or "pt-BR"'
        yield f"{path}: {shown(language)} is not a language tag; {advice}"


def _callee_problems(callee: str, path: str, config: "Config") -> Iterator[str]:
    found = re.fullmatch(r"PJSIP/(?:([^@/\s]+)@)?([^@/\s]+)", callee)
    if not found:
        yield f'{path}: {shown(callee)} cannot be called; write "PJSIP/PHONE" or "PJSIP/NUMBER@TRUNK"'
        return
    number, name = found.groups()
    known = {trunk.name for trunk in config.trunks} if number else {phone.name for phone in config.phones}
    if name not in known:
        kind = "trunk" if number else "phone"
        yield f"{path}: there is no {kind} called {shown(name)}; add it under [[{kind}s]] or correct the name"
