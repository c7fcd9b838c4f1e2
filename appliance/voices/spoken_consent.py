"""The consent as somebody said it, small enough to be kept in the profile."""

import io

import soundfile

from appliance.media.resample import resample
from appliance.units import SAMPLE_RATE_HZ
from appliance.voices.consent import MAX_RECORDING_BYTES
from appliance.voices.intake import Recording, RecordingRefused

LONGEST_S = 30


def as_flac(recording: Recording) -> bytes:
    """FLAC, 16 kHz, 16 bits. Raises RecordingRefused when it is too long."""
    if recording.seconds > LONGEST_S:
        raise RecordingRefused(f"{recording.name} is {recording.seconds:.0f} s long; say the consent in {LONGEST_S} s")
    samples = resample(recording.samples, recording.rate_hz, SAMPLE_RATE_HZ)
    made = io.BytesIO()
    soundfile.write(made, samples, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    if made.tell() > MAX_RECORDING_BYTES:
        raise RecordingRefused(f"{recording.name} is too noisy to be kept; say the consent in a quieter room")
    return made.getvalue()
