"""Several frames heard at once: a typed doorway to the C module `_samples`."""

from appliance.media._samples import mix, mix_softly

__all__ = ["mix", "mix_softly"]
