"""Profiles to test with: small ones, and one of the size that real ones have."""

from datetime import UTC, datetime
from typing import Any

import numpy as np

from appliance.voices.arrays import Array
from appliance.voices.consent import Consent
from appliance.voices.profile import IDENTITY_SLOT, STYLE_SLOT, Embedding, Profile, StyleCluster

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CONSENT = Consent(by="Ana Souza", at=NOW, wording="I agree that this box speaks with my voice.")


def profile(speaker_id: str = "v-1", **fields: Any) -> Profile:
    """A small profile, with consent unless `fields` says otherwise."""
    numbers = np.linspace(-1, 1, 192)
    defaults = {
        "name": "Ana",
        "identity": Embedding.of("ecapa-tdnn", numbers, IDENTITY_SLOT),
        "style": Embedding.of("prosody", numbers[:64], STYLE_SLOT),
        "created_at": NOW,
        "consent": CONSENT,
    }
    return Profile(speaker_id=speaker_id, **(defaults | fields))


def cluster(centre: float = 0.0) -> StyleCluster:
    """A cluster with everything XTTS needs."""
    latents = np.random.default_rng(1).normal(size=(32, 1024))
    return StyleCluster(Array.of(np.full(64, centre)), Array.of(latents, "<f2"), Array.of(np.ones(512)), speech_s=30.0)
