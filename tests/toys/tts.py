"""The real process `tts`, with engines that fail."""

from appliance.engines import registry
from procs.tts import main
from toys.engines import plug_in

plug_in(registry.SYNTHESIZERS, "synthesizer")

__all__ = ["main"]
