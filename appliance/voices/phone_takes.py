"""What one take over the telephone is worth, at once, while its speaker can still say it again."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from appliance.voices.activity import HOP_MS, Activity, find_speech
from appliance.voices.arrays import Floats
from appliance.voices.identity import Encoder, likeness, mean_voice, verdict
from appliance.voices.intake import Recording
from appliance.voices.phone_dialogue import Flaw, Heard
from appliance.voices.quality import LEAST_SNR_DB, snr_db
from appliance.voices.resemblyzer import clean_speech

LEAST_HEARD_S = 0.5
LEAST_TAKE_S = 2.0  # every sentence takes longer
_LOUD_DB = -40.0  # of a line most of the time: no silence sounds like that
COMPARED_S = 3.0  # what varies too much to be compared is shorter, on either side

# A codec hides the flat tops of overdriven speech from `clipped_share`, but its peaks stay alike: the 99.8th percentile
# of loud samples above the 99th. Measured through A-law and G.722 (Allison, Piper, espeak-ng): 1.25 to 1.50 as
# recorded, 1.01 to 1.18 at twice what fits, 1.00 to 1.07 at four times.
_LEAST_PEAKS = 1.15


class Judged(NamedTuple):
    """A take, and its partials (`Encoder.partials`), of which there are none where it was refused unheard."""

    heard: Heard
    partials: Floats | None


def judge(one: Recording, earlier: Sequence[Floats], earlier_s: float, encoder: Encoder) -> Judged:
    """How good a take is; `earlier`: the partials of those before, with so many seconds of speech."""
    activity = find_speech(one.samples, one.rate_hz)
    speech_s = activity.speech_s
    if flaw := _too_little(activity):
        return Judged(Heard(speech_s, flaw), None)
    if snr_db(activity) < LEAST_SNR_DB:
        return Judged(Heard(speech_s, "noisy"), None)
    hop = one.rate_hz * HOP_MS // 1000
    loud = one.samples[: len(activity.loud) * hop].reshape(-1, hop)[activity.loud]
    if is_overdriven(loud):
        return Judged(Heard(speech_s, "overdriven"), None)
    partials = encoder.partials(clean_speech(one.samples, one.rate_hz))
    if earlier and min(speech_s, earlier_s) >= COMPARED_S:
        alike = likeness(mean_voice(partials), mean_voice(np.concatenate(earlier)))
        if verdict(alike, encoder.scale) == "other":
            return Judged(Heard(speech_s, "other"), None)
    return Judged(Heard(speech_s), partials)


def _too_little(activity: Activity) -> Flaw | None:
    """In loud noise, no speech stands out at all."""
    if activity.speech_s < LEAST_TAKE_S and len(activity.level_db) and np.median(activity.level_db) > _LOUD_DB:
        return "noisy"
    if activity.speech_s < LEAST_HEARD_S:
        return "nothing"
    return "short" if activity.speech_s < LEAST_TAKE_S else None


def is_overdriven(loud: Floats) -> bool:
    """Whether speech was too loud for what recorded it, also where a codec came after that."""
    high, highest = np.percentile(np.abs(loud), (99, 99.8))
    return bool(highest < _LEAST_PEAKS * high)
