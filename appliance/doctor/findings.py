"""What an examination says."""

from typing import Literal

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at. `fix` says what to do; empty where nothing has to be done."""

    check: str
    level: Literal["ok", "advice", "fault"]  # advice: calls work, but could work better
    found: str
    fix: str = ""


def ok(check: str, found: str) -> Finding:
    """As it should be."""
    return Finding(check, "ok", found)


def advice(check: str, found: str, fix: str) -> Finding:
    """Works, but not as well as it could."""
    return Finding(check, "advice", found, fix)


def fault(check: str, found: str, fix: str) -> Finding:
    """The appliance cannot work like this."""
    return Finding(check, "fault", found, fix)
