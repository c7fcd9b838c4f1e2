"""A voice on file heard outside a call: a sentence spoken in it, and how alike the speaker it is."""

from typing import NamedTuple

import numpy as np

from appliance.engines.protocols import (
    ClonedVoice,
    CloningSynthesizer,
    Samples,
    Speech,
    Synthesizer,
    conditioning_model,
)
from appliance.media.resample import resample
from appliance.units import SAMPLE_RATE_HZ
from appliance.voices.identity import Encoder, likeness, mean_voice
from appliance.voices.profile import Profile
from appliance.voices.resemblyzer import clean_speech

# What is said where nobody says what: a translation into each language of the same words.
SENTENCES = {
    "en": "Good morning. This is how I sound when the interpreter speaks for me.",
    "pt": "Bom dia. É assim que eu soo quando o intérprete fala por mim.",
}
LEAST_SPEECH_S = 1.6  # of one partial of the encoder


class Rehearsal(NamedTuple):
    """A sentence at `rate_hz`. `is_own`: in the speaker's own voice, and so alike; else `why` not, in a few words."""

    samples: Samples
    rate_hz: int
    engine: str
    is_own: bool
    why: str = ""
    similarity: float | None = None


def rehearse(
    profile: Profile, name: str, engine: Synthesizer, text: str, language: str, encoder: Encoder | None = None
) -> Rehearsal:
    """Have `engine`, called `name`, speak as `profile` says it would in a call. Raises EngineError."""
    speed, why = profile.default_params.speed, why_not(profile, name, engine)
    if why or not isinstance(engine, CloningSynthesizer):
        samples, rate_hz = _whole(list(engine.synthesize(text, language, speed)))
        return Rehearsal(samples, rate_hz, name, is_own=False, why=why)
    first = profile.synthesis[0]
    voice = ClonedVoice(profile.speaker_id, first.latents.numbers(), first.speaker_embedding.numbers())
    samples, rate_hz = _whole(list(engine.synthesize_as(voice, text, language, speed)))
    return Rehearsal(samples, rate_hz, name, True, "", _similarity(profile, samples, rate_hz, encoder))


def why_not(profile: Profile, name: str, engine: Synthesizer) -> str:
    """Why an engine does not speak with a voice; empty where it does."""
    if not isinstance(engine, CloningSynthesizer):
        return f"{name} clones no voices"
    if not profile.synthesis or profile.synthesis_model != conditioning_model(engine, name):
        return f"{profile.name} was not enrolled for {name}; enrol it again"
    return ""


def _whole(pieces: list[Speech]) -> tuple[Samples, int]:
    if not pieces:
        return np.zeros(0, np.float32), SAMPLE_RATE_HZ
    rate_hz = pieces[0].rate_hz
    return np.concatenate([resample(piece.samples, piece.rate_hz, rate_hz) for piece in pieces]), rate_hz


def _similarity(profile: Profile, samples: Samples, rate_hz: int, encoder: Encoder | None) -> float | None:
    identity = profile.identity
    if encoder is None or (identity.model, identity.width) != (encoder.model, encoder.width):
        return None
    speech = clean_speech(samples, rate_hz)
    if len(speech) < LEAST_SPEECH_S * SAMPLE_RATE_HZ:
        return None
    return likeness(mean_voice(encoder.partials(speech)), mean_voice(identity.numbers()[None]))
