"""Invitations to enrol by telephone, over REST: who is invited, a new code, taking one back."""

from datetime import datetime, timedelta

import msgspec

from appliance.config import Config
from appliance.ops.voices.messages import Code, Invitations, Invite, Invited
from appliance.voices.invitations import Invitation
from appliance.voices.inviting import Wanted
from appliance.voices.inviting import invite as invite_to
from appliance.voices.phone_prompts import usable
from appliance.voices.store import VoiceStore


class Telephone:
    """Enrolment by telephone as the configuration has it. Its methods may raise VoiceError."""

    def __init__(self, config: Config) -> None:
        self._number = config.voices.enrolment_number
        self._languages = usable(config.engines.languages)

    def invited(self, store: VoiceStore, now: datetime) -> Invitations:
        """Everybody who may enrol at `now`."""
        found = [_shown(key, one) for key, one in store.invitations.by_id(now).items()]
        return Invitations(found, self._number, self._languages)

    def invite(self, store: VoiceStore, asked: Invite, now: datetime) -> Code:
        """One more."""
        wanted = Wanted(asked.name, asked.language, tuple(asked.phone_numbers), asked.consent_until, asked.replace)
        code, made = invite_to(store, wanted, self._languages, now)
        shown = msgspec.structs.asdict(_shown(store.invitations.id_of(code), made))
        return Code(**shown, code=code, number=self._number)


def _shown(key: str, one: Invitation) -> Invited:
    ends_at = one.consent_ends_at
    last_day = (ends_at - timedelta(days=1)).date() if ends_at else None  # it ends at midnight after that
    return Invited(key, one.name, one.language, one.ends_at, one.phone_numbers, last_day, one.replaces)
