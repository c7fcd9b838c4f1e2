"""A process that hangs once, deaf to SIGTERM, and works after it has been killed."""

import time

from appliance.supervision.context import Context
from toys import steady


def main(ctx: Context) -> None:
    """Hang, or work."""
    if ctx.vitals.exits:
        steady.main(ctx)
        return
    ctx.ready()
    hang_in_this_function()


def hang_in_this_function() -> None:
    """Never return."""
    while True:
        time.sleep(60)
