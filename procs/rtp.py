"""The rtp process: every 20 ms, packets of the media socket become frames and frames become packets."""

from collections import Counter
from functools import partial

from appliance import clock
from appliance.config import STAGES, MediaConfig
from appliance.frames import datagrams
from appliance.frames.messages import HealthEvent
from appliance.frames.roster import Lane
from appliance.media.tone import two_notes
from appliance.supervision.context import Context
from appliance.supervision.vitals import Vitals
from appliance.units import FRAMES_PER_S
from appliance.wire.degrading import Degrading
from appliance.wire.downlink import Downlink
from appliance.wire.interpreters import Interpreters
from appliance.wire.originals import Originals
from appliance.wire.pulse import Pulse, stay_punctual
from appliance.wire.uplink import Uplink


def main(ctx: Context) -> None:
    """Carry speech between Asterisk and the rings. A new process goes on where the one before it ended."""
    assert ctx.media_fd is not None, "the process table gives rtp the media socket"
    ctx.stand_by()  # everything is imported
    config, counts = ctx.config, Counter[str]()
    writers = [ctx.writer("uplink", place) for place in range(config.max_legs)]
    readers = [ctx.reader("downlink", place) for place in range(config.max_lanes)]
    uplink = Uplink(ctx.media_fd, writers, config.max_lanes, config.media.jitter_frames, counts, ctx.log.warning)
    send = partial(datagrams.send, ctx.media_fd)
    level_db = config.media.under_talk_db
    originals = Originals(writers, None if level_db == "off" else level_db)
    interpreters = Interpreters({stage: Vitals(ctx.memory.vitals(stage)) for stage in STAGES}, config.engines)
    degrading = Degrading(interpreters.missing, partial(_tell, ctx), *_notes(config.media))
    downlink = Downlink(
        send, readers, config.media.prefill_frames, counts, ctx.journal, originals=originals, degrading=degrading
    )
    roster = ctx.roster()
    uplink.follow(roster)
    downlink.follow(roster)
    interpreters.follow(roster)
    ctx.vitals.set("realtime", stay_punctual())
    pulse = Pulse(ctx.vitals)
    ctx.ready()
    while not ctx.stopping:
        tick = pulse.wait()
        if ctx.roster() is not roster:
            roster = ctx.roster()
            uplink.follow(roster)
            downlink.follow(roster)
            interpreters.follow(roster)
        interpreters.look()
        downlink.tick(tick)  # first, so that packets leave at an even pace
        uplink.receive()
        uplink.poll(clock.now_ns())
        if tick % FRAMES_PER_S == 0:
            downlink.count_losses()
            ctx.vitals.set("lanes_degraded", degrading.lanes_down)
        for name, amount in counts.items():
            ctx.vitals.add(name, amount)
        counts.clear()
        ctx.beat()


def _tell(ctx: Context, lane: Lane, missing: str) -> None:
    room = next((leg.room for leg in ctx.roster().legs if leg.place == lane.leg), "")
    status = "DEGRADED" if missing else "RESTORED"
    action = f"{missing}: the original is heard at full level" if missing else "the translation is heard again"
    ctx.journal(HealthEvent("lane", status, action, clock.now_ns(), session_id=room))


def _notes(media: MediaConfig) -> tuple[list[bytes], list[bytes]]:
    """What announces that a lane is not interpreted any more, and that it is again."""
    level_db = media.announce_db
    return ([], []) if level_db == "off" else (two_notes(False, level_db), two_notes(True, level_db))
