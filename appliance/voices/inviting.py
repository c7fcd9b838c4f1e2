"""Inviting somebody to enrol by telephone: what is asked for, checked against the voices on file."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import msgspec

from appliance.voices.errors import ConsentLacking, NotANumber, VoiceError
from appliance.voices.invitations import GOOD_FOR_DAYS, Invitation
from appliance.voices.profile import Profile, dialled
from appliance.voices.store import VoiceStore


class Wanted(NamedTuple):
    """Who shall enrol. `language` may be empty: the box's own; `until` is the last day of the consent."""

    name: str
    language: str = ""
    numbers: tuple[str, ...] = ()
    until: date | None = None
    replace: bool = False


def invite(store: VoiceStore, wanted: Wanted, languages: Sequence[str], now: datetime) -> tuple[str, Invitation]:
    """The code, and what it stands for; `languages`: the box's, that there are prompts in.

    Raises VoiceError.
    """
    invitation = _invitation(wanted, store.called(wanted.name), languages, now)
    return store.invitations.add(invitation, now), invitation


def _invitation(wanted: Wanted, same_name: Sequence[Profile], languages: Sequence[str], now: datetime) -> Invitation:
    old = _old(same_name, wanted)
    numbers = _dialled(wanted.numbers) or (old.phone_numbers if old else ())
    made = Invitation(
        wanted.name.strip(),
        _language(wanted.language, languages),
        now + timedelta(days=GOOD_FOR_DAYS),
        numbers,
        _consent_end(wanted.until, now),
        old.speaker_id if old else "",
    )
    try:  # a constructor does not look at its limits
        return msgspec.convert(msgspec.to_builtins(made), Invitation)
    except msgspec.ValidationError:
        raise VoiceError("a name has 1 to 200 characters, and a voice at most 16 phone numbers") from None


def _old(same_name: Sequence[Profile], wanted: Wanted) -> Profile | None:
    if same_name and not wanted.replace:
        there = f'there is a voice called "{wanted.name}" already ({same_name[0].speaker_id})'
        raise VoiceError(f"{there}; take another name, or say that it shall be replaced")
    if len(same_name) > 1:
        raise VoiceError(f'{len(same_name)} voices are called "{wanted.name}"; rename or delete all but one of them')
    return same_name[0] if same_name else None


def _language(wanted: str, languages: Sequence[str]) -> str:
    language = wanted.lower() or next(iter(languages), "")
    if language not in languages:
        there = ", ".join(languages) or "none"
        raise VoiceError(f'there are no prompts in "{language}" on this box; choose among: {there}')
    return language


def _dialled(numbers: Sequence[str]) -> tuple[str, ...]:
    try:
        return tuple(dialled(number) for number in numbers)
    except ValueError as error:
        raise NotANumber(f"{error}; write it with its digits, like +55 11 99999-0000") from None


def _consent_end(until: date | None, now: datetime) -> datetime | None:
    if until is None:
        return None
    ends_at = datetime(until.year, until.month, until.day, tzinfo=UTC) + timedelta(days=1)
    if ends_at <= now:
        raise ConsentLacking(f"a consent until {until} has ended already; name a later day")
    return ends_at
