"""Comparing recordings with a voice on file: how alike they are. No proof of who speaks."""

from collections.abc import Sequence

import msgspec
import numpy as np

from appliance.units import SAMPLE_RATE_HZ
from appliance.voices.errors import VoiceError
from appliance.voices.identity import Encoder, Verdict, likeness, mean_voice, verdict
from appliance.voices.intake import Recording, RecordingRefused
from appliance.voices.profile import Profile
from appliance.voices.resemblyzer import clean_speech

LEAST_SPEECH_S = 3.0  # less varies too much to be compared


class Compared(msgspec.Struct, frozen=True):
    """One recording, or all together."""

    name: str
    speech_s: float
    similarity: float  # cosine, -1 … 1
    verdict: Verdict


class Comparison(msgspec.Struct, frozen=True):
    """Each recording, and all of them as one."""

    recordings: tuple[Compared, ...]
    together: Compared

    @property
    def least(self) -> Compared:
        """The recording least like the voice: what has to be the same for all to be."""
        return min(self.recordings, key=lambda one: one.similarity)


def compare(profile: Profile, recordings: Sequence[Recording], encoder: Encoder) -> Comparison:
    """How alike `recordings` and the voice of `profile` are.

    Raises RecordingRefused for less than 3 s of speech, VoiceError when another encoder made the profile.
    """
    if (profile.identity.model, profile.identity.width) != (encoder.model, encoder.width):
        made = f"the voice of {profile.name} was enrolled with {profile.identity.model}"
        raise VoiceError(f"{made}, which cannot be compared with {encoder.model}; enrol it again, with --replace")
    on_file = profile.identity.numbers()
    found, all_partials = [], []
    for one in recordings:
        speech = clean_speech(one.samples, one.rate_hz)
        speech_s = len(speech) / SAMPLE_RATE_HZ
        if speech_s < LEAST_SPEECH_S:
            raise RecordingRefused(f"{one.name} has only {speech_s:.1f} s of speech; {LEAST_SPEECH_S:.0f} s are needed")
        partials = encoder.partials(speech)
        cosine = likeness(mean_voice(partials), on_file)
        found.append(Compared(one.name, speech_s, cosine, verdict(cosine, encoder.scale)))
        all_partials.append(partials)
    cosine = likeness(mean_voice(np.concatenate(all_partials)), on_file)
    seconds = sum(one.speech_s for one in found)
    return Comparison(tuple(found), Compared("together", seconds, cosine, verdict(cosine, encoder.scale)))
