"""A process that works, but does not stop when told to."""

from appliance.supervision.context import Context


def main(ctx: Context) -> None:
    """Turn for ever."""
    ctx.ready()
    while True:
        ctx.beat()
        ctx.memory.doorbell(ctx.name).wait(0.1)
