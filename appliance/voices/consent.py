"""Consent: who allowed a voice to be used, when, in which words, until when; and whether it holds."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

MAX_RECORDING_BYTES = 512 << 10  # a spoken sentence of 30 s as FLAC
WORDING = "I agree that this telephone interpreter speaks with my voice, until I withdraw my consent."

Moment = Annotated[datetime, Meta(tz=True)]
Standing = Literal["given", "none", "expired", "withdrawn"]


class Consent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody agreed to. `recording` is the sentence as they said it (FLAC), empty where it was signed."""

    by: Annotated[str, Meta(min_length=1, max_length=200)]
    at: Moment
    wording: Annotated[str, Meta(min_length=1, max_length=4000)]
    expires_at: Moment | None = None
    withdrawn_at: Moment | None = None
    adaptation: bool = False  # the voice may also be learned during a call
    recording: Annotated[bytes, Meta(max_length=MAX_RECORDING_BYTES)] = b""


def standing(consent: Consent | None, now: datetime) -> Standing:
    """Whether a voice may be used at `now`. A withdrawal counts from when it was recorded, whatever the clock says."""
    if consent is None:
        return "none"
    if consent.withdrawn_at is not None:
        return "withdrawn"
    if consent.expires_at is not None and consent.expires_at <= now:
        return "expired"
    return "given"
