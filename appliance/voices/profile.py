"""The profile of a voice: identity, style, what synthesis needs, consent, quality; each size bounded."""

import hashlib
import secrets
from collections.abc import Sequence
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import ArrayLike

from appliance.voices.arrays import Array, Floats
from appliance.voices.consent import Consent, Moment

VERSION = 2  # of the schema; older ones: migrations.py
IDENTITY_SLOT = 256
STYLE_SLOT = 64
MAX_CLUSTERS = 8
MAX_NUMBERS = 16
MAX_PROFILE_BYTES = 4 << 20

SpeakerId = Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9-]{0,62}\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Digits = Annotated[str, Meta(pattern=r"\A[0-9]{1,20}\Z")]
Share = Annotated[float, Meta(ge=0, le=1)]
Cosine = Annotated[float, Meta(ge=-1.001, le=1.001)]


class Embedding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A vector that `model` made of a voice, in a slot of fixed width: the first `width` numbers are real, the rest 0.

    So an encoder with 192 numbers and one with 256 share a format, and cosines are those of the true vectors.
    `embedding_ref` names the vector by its content, for logs and for whoever must not see the numbers.
    """

    model: Name
    embedding_ref: Name
    vector: Array
    width: Annotated[int, Meta(ge=1, le=IDENTITY_SLOT)]

    def __post_init__(self) -> None:
        if len(self.vector.shape) != 1 or not self.width <= self.vector.shape[0]:
            raise ValueError(f"an embedding of {self.width} numbers does not fit a slot of shape {self.vector.shape}")

    @classmethod
    def of(cls, model: str, numbers: ArrayLike, slot: int) -> "Embedding":
        """Put `numbers`, one-dimensional, into a slot of `slot` numbers. Raises ValueError when they do not fit."""
        true = np.asarray(numbers, np.float32)
        if true.ndim != 1 or not 1 <= len(true) <= slot:
            raise ValueError(f"an embedding of shape {true.shape} does not fit a slot of {slot} numbers")
        vector = Array.of(np.pad(true, (0, slot - len(true))))
        return cls(model, "sha256:" + hashlib.sha256(vector.data).hexdigest()[:32], vector, len(true))

    def numbers(self) -> Floats:
        """The true vector, `width` numbers."""
        return self.vector.numbers()[: self.width]

    def cosine(self, other: "Embedding") -> float:
        """How alike two vectors are, -1 … 1. Raises ValueError for vectors of different models."""
        if (self.model, self.width) != (other.model, other.width):
            raise ValueError(f"vectors of {self.model} and {other.model} cannot be compared")
        mine, theirs = self.numbers(), other.numbers()
        scale = float(np.linalg.norm(mine) * np.linalg.norm(theirs))
        return float(mine @ theirs) / scale if scale else 0.0


class DefaultParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the voice speaks when nobody says otherwise."""

    emotion: Name = "neutral"
    speed: Annotated[float, Meta(ge=0.5, le=2.0)] = 1.0
    pitch: Annotated[float, Meta(ge=-12, le=12)] = 0.0  # semitones


class StyleCluster(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What synthesis needs to sound like the speaker in one manner of speaking."""

    style: Array  # its centre, in the space of the profile's style model
    latents: Array  # XTTS: (32, 1024)
    speaker_embedding: Array  # XTTS: (512,)
    speech_s: Annotated[float, Meta(ge=0)] = 0.0  # the reference speech behind it


class Quality(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Figures of the speech that the voice was enrolled from."""

    speech_s: Annotated[float, Meta(ge=0)]
    snr_db: float
    clipped_share: Share
    bandwidth_hz: Annotated[float, Meta(ge=0)]
    self_similarity: Cosine | None = None  # of its two halves that are least alike
    synthesis_similarity: Cosine | None = None  # of a synthesized sentence to the speaker


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A voice on file. `speaker_id` is opaque on purpose: it is the one thing that is stored in clear."""

    speaker_id: SpeakerId
    name: Name
    identity: Embedding
    style: Embedding
    created_at: Moment
    default_params: DefaultParams = DefaultParams()
    version: Annotated[int, Meta(ge=VERSION, le=VERSION)] = VERSION
    synthesis_model: Annotated[str, Meta(max_length=200)] = ""
    synthesis: Annotated[tuple[StyleCluster, ...], Meta(max_length=MAX_CLUSTERS)] = ()
    phone_numbers: Annotated[tuple[Digits, ...], Meta(max_length=MAX_NUMBERS)] = ()
    consent: Consent | None = None
    quality: Quality | None = None

    def __post_init__(self) -> None:
        for embedding, slot in ((self.identity, IDENTITY_SLOT), (self.style, STYLE_SLOT)):
            if embedding.vector.shape != (slot,):
                raise ValueError(f"{embedding.model}: a slot of shape {embedding.vector.shape}, not ({slot},)")
        if any(cluster.style.shape != (STYLE_SLOT,) for cluster in self.synthesis):
            raise ValueError(f"a cluster's style does not have {STYLE_SLOT} numbers")

    def cluster_for(self, style: Floats) -> StyleCluster | None:
        """The manner of speaking nearest to `style`, (64,) of the profile's style model; None where there is none."""
        return nearest(self.synthesis, style)


def nearest(clusters: Sequence[StyleCluster], style: Floats) -> StyleCluster | None:
    """The cluster whose centre has the least Euclidean distance to `style`, (64,)."""
    return min(clusters, key=lambda one: float(np.linalg.norm(one.style.numbers() - style)), default=None)


def new_speaker_id() -> str:
    """An id that says nothing about the person."""
    return f"v-{secrets.token_hex(6)}"


def dialled(number: str) -> str:
    """The digits of a phone number as they select a voice: "+55 11 99999-0000" and 005511999990000 are the same.

    Raises ValueError for what is no number.
    """
    digits = "".join(sign for sign in number if sign not in " -./()")
    digits = digits.removeprefix("+") if digits.startswith("+") else digits.removeprefix("00")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 20):
        raise ValueError(f"{number!r} is not a phone number")
    return digits
