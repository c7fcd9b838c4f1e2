"""calls: connects callers with callees, and people with the interpreter, through Asterisk."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from appliance import clock
from appliance.frames.messages import HealthEvent
from appliance.supervision.context import Context
from appliance.supervision.vitals import trunk_word
from appliance.telephony.ari import Ari, Link
from appliance.telephony.switchboard import Switchboard
from appliance.telephony.trunks import Trunks

BEAT_S = 0.1


def main(ctx: Context) -> None:
    """Serve calls until told to stop, then hang up."""
    asyncio.run(_serve(ctx))


async def _serve(ctx: Context) -> None:
    def on_link(link: Link, sentence: str) -> None:
        ctx.vitals.set("asterisk_up", link is Link.UP)
        if link is Link.LOST:
            ctx.vitals.add("reconnects")
        ctx.journal(HealthEvent("ari", link.name, sentence, clock.now_ns()))

    async with Ari(ctx.config.asterisk) as ari:

        def show(reached: Sequence[bool | None]) -> None:
            ctx.vitals.set("trunks", trunk_word(reached))

        switchboard = Switchboard(ctx.config, ari, ctx.memory, ctx.journal, ctx.vitals.add)
        ctx.vitals.set("asterisk_up", False)  # whatever the process before this one saw
        listening = asyncio.create_task(ari.listen(switchboard.take, switchboard.resync, on_link))
        trunks = Trunks(ari, [each.name for each in ctx.config.trunks], ctx.journal, show)
        watching = asyncio.create_task(trunks.watch())
        ctx.ready()  # also without Asterisk: it may come later
        languages, speakers = ctx.text_reader("languages"), ctx.text_reader("speakers")
        while not ctx.stopping and not listening.done():
            ctx.beat()
            while found := languages.read():
                switchboard.heard(found)
            languages.commit()
            while recognised := speakers.read():
                switchboard.recognised(recognised)
            speakers.commit()
            await asyncio.wait([listening], timeout=BEAT_S)
        watching.cancel()
        if listening.done():
            listening.result()  # only a mistake of ours ends it: the calls go on without us until we are restarted
        closing = asyncio.create_task(switchboard.close())
        while not closing.done():
            ctx.beat()
            await asyncio.wait([closing], timeout=BEAT_S)
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
        closing.result()
