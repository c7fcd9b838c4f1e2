"""A process that works until it is restarted, and never again."""

from appliance.supervision.context import Context
from toys import refusing, steady


def main(ctx: Context) -> None:
    """Work, or refuse."""
    if ctx.vitals.exits:
        refusing.main(ctx)
    else:
        steady.main(ctx)
