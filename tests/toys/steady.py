"""A process that works."""

from appliance.supervision.context import Context


def main(ctx: Context) -> None:
    """Turn until told to stop."""
    ctx.stand_by()
    ctx.ready()
    ctx.log.info("working")
    for _ in ctx.turns():
        pass
    ctx.log.info("finished in order")
