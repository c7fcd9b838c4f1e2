"""The real process `asr`, with engines that fail; the one that hangs has learned its lesson after a restart."""

from appliance.engines import registry
from appliance.supervision.context import Context
from procs import asr
from toys import engines


def main(ctx: Context) -> None:
    """Recognise, or fail to."""
    engines.plug_in(registry.RECOGNIZERS, "recognizer")
    registry.STREAMING_RECOGNIZERS["spare-stream"] = "toys.engines:streaming_spare"
    if ctx.vitals.exits:
        engines.Recognizer.working = "hangs"
    asr.main(ctx)
