"""voices: whose voice each leg speaks with in other languages. No call needs it: without it, it is a stock voice."""

import os

from appliance import clock
from appliance.stages.leg_speakers import LegSpeakers
from appliance.supervision.context import Context
from appliance.voices.directory import Directory

LESS_URGENT = 10  # nice(2): whoever carries speech comes first
LOOKS_EVERY_S = 0.2


def main(ctx: Context) -> None:
    """Find out who speaks on each leg, and watch that it stays so."""
    os.nice(LESS_URGENT)
    directory = Directory(ctx.config.voices.folder, ctx.config.voices.key_file)
    speakers, found = LegSpeakers(ctx, directory), ctx.text_writer("speakers")
    ctx.ready()
    while not ctx.stopping:
        ctx.beat()
        began_ns = clock.now_ns()
        for each in speakers.turn():
            found.write(each)
        # Half of a core at most, however many speak.
        clock.sleep_s(max(LOOKS_EVERY_S, (clock.now_ns() - began_ns) / 1e9))
    directory.close()
