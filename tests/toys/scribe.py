"""A process that writes down who it is, again and again, for as long as it can."""

import os

from appliance.frames.messages import Segment
from appliance.supervision.context import Context


def main(ctx: Context) -> None:
    """Write a segment at each turn: its process id."""
    ctx.stand_by()
    segments = ctx.text_writer("segments")
    ctx.ready()
    for turn, _ in enumerate(ctx.turns(idle_s=0.002)):
        segments.write(Segment(0, 1, turn, 0, True, 0, 0, "en", str(os.getpid()), 0.0))
