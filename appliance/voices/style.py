"""How somebody speaks: which encoder tells."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from appliance.voices import prosody
from appliance.voices.arrays import Floats
from appliance.voices.gst import Gst
from appliance.voices.profile import STYLE_SLOT, Embedding


class StyleEncoder(Protocol):
    """Makes vectors of manners of speaking, `width` numbers each; like manners are near each other (Euclid)."""

    model: str
    width: int

    def style(self, samples: Floats, rate_hz: int) -> Embedding | None:
        """The style of `samples`, mono, any rate; None for less than 0.3 s of speech."""
        ...


class Prosody:
    """Statistics that need no training."""

    model = prosody.MODEL
    width = STYLE_SLOT

    def style(self, samples: Floats, rate_hz: int) -> Embedding | None:
        """See `prosody.style`."""
        return prosody.style(samples, rate_hz)


def all_styles(gst_folder: str = "") -> Mapping[str, StyleEncoder]:
    """Every encoder there is, by its model: prosody needs no weights, so voices enrolled with it keep their manners.

    Raises EngineError for a folder of no use.
    """
    return {one.model: one for one in (Prosody(), load_style(gst_folder))}


def load_style(gst_folder: str = "") -> StyleEncoder:
    """GST where its folder is configured, else statistics of prosody. Raises EngineError for a folder of no use."""
    return Gst(Path(gst_folder)) if gst_folder else Prosody()
