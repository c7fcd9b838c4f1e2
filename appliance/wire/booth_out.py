"""One booth on its way out: what its lanes say and, softly, the originals of it, in one RTP stream."""

import zlib
from collections import deque
from collections.abc import Callable

from appliance.frames.roster import Booth
from appliance.media.codecs import G722_64K
from appliance.media.mixer import mix
from appliance.media.talkspurt import TalkspurtStream
from appliance.media.under_talk import UnderTalk
from appliance.recovery.ladder import RAISE_STEPS
from appliance.wire.lane_out import LaneOut
from appliance.wire.originals import Original


class BoothOut:
    """Where one booth is, the lanes that speak in it, and its RTP stream, which outlives this process.

    `originals` are its lanes' speakers, by lane; they are heard when `under_talk` is there. `notes` are frames to be
    heard besides, one each tick.
    """

    def __init__(
        self, booth: Booth, address: int, encode: Callable[[bytes], bytes], under_talk: UnderTalk | None
    ) -> None:
        self.booth = booth
        self.address = address
        self.lanes: list[LaneOut] = []
        self.originals: list[tuple[LaneOut, Original]] = []
        self.notes: deque[bytes] = deque()
        self.under_talk = under_talk
        self.stream = TalkspurtStream(G722_64K, encode, ssrc=zlib.crc32(f"{booth.room} {booth.language}".encode()))

    def with_originals(self, frames: list[bytes]) -> list[bytes]:
        """What the lanes say at one tick, mixed with the originals; the empty list is silence, as it is in `frames`."""
        if self.under_talk is None or not (self.under_talk.is_on or any(out.rung.raised for out, _ in self.originals)):
            return frames
        soft = [original.frame for out, original in self.originals if original.frame and not _moves(out)]
        heard = self.under_talk.mix(mix(frames) if frames else None, mix(soft) if soft else None)
        for out, original in self.originals:
            if original.frame and _moves(out):
                before, now = out.raised_before / RAISE_STEPS, out.rung.raised / RAISE_STEPS
                heard = self.under_talk.raise_over(heard, original.frame, before, now)
        return [heard] if heard else []


def _moves(out: LaneOut) -> bool:
    return bool(out.rung.raised or out.raised_before)
