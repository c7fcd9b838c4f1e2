"""What can be wrong with a voice; every message is one sentence for a technician."""

from typing import ClassVar


class VoiceError(Exception):
    """A voice cannot be had. `reason` is for health events: one word that does not change."""

    reason: ClassVar[str] = "refused"


class NotANumber(VoiceError):  # noqa: N818
    """What was given for a phone number is none."""


class VoiceMissing(VoiceError):  # noqa: N818
    """There is no such voice (any more)."""

    reason = "missing"


class VoiceDamaged(VoiceError):  # noqa: N818
    """Its record cannot be read; the other voices can."""

    reason = "damaged"


class ConsentLacking(VoiceError):  # noqa: N818
    """The voice is there, and may not be used: no consent, or it has expired or was withdrawn."""

    reason = "consent"


class StoreUnusable(VoiceError):  # noqa: N818
    """The store itself cannot be opened or written: disk full, read-only, damaged, the wrong key."""

    reason = "store"
