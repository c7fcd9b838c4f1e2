"""A process that crashes twice and works from then on."""

from appliance.supervision.context import Context
from toys import steady


def main(ctx: Context) -> None:
    """Fall over, or work."""
    if ctx.vitals.exits < 2:
        ctx.ready()
        raise RuntimeError("the toy broke")
    steady.main(ctx)
