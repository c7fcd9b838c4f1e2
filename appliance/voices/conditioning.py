"""What an engine that clones needs of a voice, computed when somebody is enrolled: once for each manner of speaking."""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from appliance.engines.protocols import Samples, VoiceConditioner
from appliance.media.resample import resample
from appliance.voices.arrays import Array
from appliance.voices.enrolment import Enrolled, Manner
from appliance.voices.intake import Recording
from appliance.voices.profile import Profile, StyleCluster

RATE_HZ = 24_000
LONGEST_S = 60.0  # of one manner: more says nothing new about a voice


def conditioned(
    enrolled: Enrolled,
    conditioner: VoiceConditioner,
    progress: Callable[[str, float], None] = lambda _what, _share: None,
) -> Profile:
    """The profile of `enrolled` with what `conditioner` makes of each manner. Raises EngineError."""
    clusters = []
    for place, manner in enumerate(enrolled.manners):
        progress("learning the voice", place / len(enrolled.manners))
        speech = _speech(manner, enrolled.recordings)
        voice = conditioner.condition(enrolled.profile.speaker_id, speech, RATE_HZ)
        clusters.append(
            StyleCluster(
                Array.of(manner.style),
                Array.of(voice.conditioning, "<f2"),
                Array.of(voice.speaker_embedding),
                len(speech) / RATE_HZ,
            )
        )
    model = conditioner.conditioning_model
    return msgspec.structs.replace(enrolled.profile, synthesis_model=model, synthesis=tuple(clusters))


def _speech(manner: Manner, recordings: Sequence[Recording]) -> Samples:
    """As much of a manner's windows as is worth while, in their order."""
    parts, left_s = [], LONGEST_S
    for place, first, end in manner.windows:
        if left_s <= 0:
            break
        one = recordings[place]
        parts.append(resample(np.asarray(one.samples[first:end], np.float32), one.rate_hz, RATE_HZ))
        left_s -= (end - first) / one.rate_hz
    return np.concatenate(parts)
