"""A process with an engine call longer than its heartbeat but within its deadline, then one past its deadline."""

import time

from appliance.supervision.context import Context
from toys import steady

LONGER_THAN_A_HEARTBEAT_S = 1.2


def main(ctx: Context) -> None:
    """Make both calls, or work."""
    if ctx.vitals.exits:
        steady.main(ctx)
        return
    ctx.ready()
    with ctx.busy(limit_s=60, may_rest=True):
        time.sleep(LONGER_THAN_A_HEARTBEAT_S)
    ctx.log.info("the long call is done")
    with ctx.busy():
        time.sleep(60)
