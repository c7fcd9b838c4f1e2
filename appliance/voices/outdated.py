"""Voices on file whose vectors other encoders have made than those there are now: what does not work, and what to do.

Vectors of two models are never compared, and recordings are not kept, so such a voice has to be enrolled again.
"""

from collections.abc import Collection
from typing import NamedTuple

from appliance.voices.profile import Profile


class Models(NamedTuple):
    """The names of the encoders: the one that tells voices apart, and those that tell manners."""

    identity: str
    styles: Collection[str]


def outdated(profile: Profile, models: Models) -> str:
    """A sentence for a technician; empty where nothing is amiss."""
    identity, style = profile.identity.model, profile.style.model
    lacks = []
    if identity != models.identity:
        lacks.append(f"was enrolled with {identity}, and is not found by likeness with {models.identity}")
    if is_lost(style, len(profile.synthesis), models):
        lacks.append(f"has manners of speaking by {style}, and is always heard in the first of them")
    if not lacks:
        return ""
    return f"{profile.name} {', and '.join(lacks)}; enrol it again (dragoman voices enrol … --replace)"


def is_lost(style_model: str, manners: int, models: Models) -> bool:
    """Whether nobody can tell any more which of a voice's manners speech is in. One manner needs no telling."""
    return manners > 1 and style_model not in models.styles
