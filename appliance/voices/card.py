"""A voice as people look at it: everything of its profile but the numbers."""

from datetime import datetime

import msgspec

from appliance.voices.consent import Standing, standing
from appliance.voices.profile import DefaultParams, Profile, Quality


class Model(msgspec.Struct, frozen=True):
    """Which model made a vector, and the vector's name."""

    model: str
    embedding_ref: str
    width: int


class Card(msgspec.Struct, frozen=True):
    """What a list or a page shows."""

    speaker_id: str
    name: str
    consent: Standing
    consent_by: str
    consent_at: datetime | None
    consent_expires_at: datetime | None
    consent_wording: str
    phone_numbers: tuple[str, ...]
    quality: Quality | None
    identity: Model
    style: Model
    synthesis_model: str
    manners: int  # style clusters
    default_params: DefaultParams
    created_at: datetime
    version: int


def card(profile: Profile, now: datetime) -> Card:
    """The card of a profile, its consent as it is at `now`."""
    consent, identity, style = profile.consent, profile.identity, profile.style
    return Card(
        speaker_id=profile.speaker_id,
        name=profile.name,
        consent=standing(consent, now),
        consent_by=consent.by if consent else "",
        consent_at=consent.at if consent else None,
        consent_expires_at=consent.expires_at if consent else None,
        consent_wording=consent.wording if consent else "",
        phone_numbers=profile.phone_numbers,
        quality=profile.quality,
        identity=Model(identity.model, identity.embedding_ref, identity.width),
        style=Model(style.model, style.embedding_ref, style.width),
        synthesis_model=profile.synthesis_model,
        manners=len(profile.synthesis),
        default_params=profile.default_params,
        created_at=profile.created_at,
        version=profile.version,
    )
