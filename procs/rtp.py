"""The rtp process: every 20 ms, packets of the media socket become frames and frames become packets."""

from collections import Counter
from functools import partial

from appliance import clock
from appliance.frames import datagrams
from appliance.supervision.context import Context
from appliance.units import FRAMES_PER_S
from appliance.wire.downlink import Downlink
from appliance.wire.originals import Originals
from appliance.wire.pulse import Pulse, stay_punctual
from appliance.wire.uplink import Uplink


def main(ctx: Context) -> None:
    """Carry speech between Asterisk and the rings. A new process goes on where the one before it ended."""
    assert ctx.media_fd is not None, "the process table gives rtp the media socket"
    config, counts = ctx.config, Counter[str]()
    writers = [ctx.writer("uplink", place) for place in range(config.max_legs)]
    readers = [ctx.reader("downlink", place) for place in range(config.max_lanes)]
    uplink = Uplink(ctx.media_fd, writers, config.max_lanes, config.media.jitter_frames, counts, ctx.log.warning)
    send = partial(datagrams.send, ctx.media_fd)
    level_db = config.media.under_talk_db
    originals = None if level_db == "off" else Originals(writers, level_db)
    downlink = Downlink(send, readers, config.media.prefill_frames, counts, ctx.journal, originals=originals)
    roster = ctx.roster()
    uplink.follow(roster)
    downlink.follow(roster)
    ctx.vitals.set("realtime", stay_punctual())
    pulse = Pulse(ctx.vitals)
    ctx.ready()
    while not ctx.stopping:
        tick = pulse.wait()
        if ctx.roster() is not roster:
            roster = ctx.roster()
            uplink.follow(roster)
            downlink.follow(roster)
        downlink.tick(tick)  # first, so that packets leave at an even pace
        uplink.receive()
        uplink.poll(clock.now_ns())
        if tick % FRAMES_PER_S == 0:
            downlink.count_losses()
        for name, amount in counts.items():
            ctx.vitals.add(name, amount)
        counts.clear()
        ctx.beat()
