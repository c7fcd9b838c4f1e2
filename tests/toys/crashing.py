"""A process that crashes, time and again."""

from appliance.supervision.context import Context


def main(ctx: Context) -> None:
    """Get ready and fall over."""
    ctx.stand_by()
    ctx.ready()
    raise RuntimeError("the toy broke")
