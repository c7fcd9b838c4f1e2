"""A process that forgets to wait for its turn."""

from appliance.supervision.context import Context


def main(ctx: Context) -> None:
    """Write, standby or not."""
    ctx.text_writer("segments")
    ctx.ready()
    for _ in ctx.turns():
        pass
