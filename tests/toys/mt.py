"""The real process `mt`, with engines that fail."""

from appliance.engines import registry
from procs.mt import main
from toys.engines import plug_in

plug_in(registry.TRANSLATORS, "translator")

__all__ = ["main"]
