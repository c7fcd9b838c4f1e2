"""Recordings of a real person: Asterisk's own prompts."""

import soundfile

from appliance.config import Config
from appliance.demo.asterisk import asterisk_tree
from appliance.engines.protocols import Samples
from appliance.media.resample import resample


def prompt(name: str) -> Samples:
    """At 16 kHz."""
    path = asterisk_tree(Config()) / "usr/share/asterisk/sounds/en_US_f_Allison" / f"{name}.gsm"
    samples, rate_hz = soundfile.read(
        path, dtype="float32", format="RAW", subtype="GSM610", samplerate=8000, channels=1
    )
    return resample(samples, rate_hz)
