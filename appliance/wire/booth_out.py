"""One booth on its way out: what its lanes say and, softly, the originals of it, in one RTP stream."""

import zlib
from collections.abc import Callable

from appliance.frames.roster import Booth
from appliance.media.codecs import G722_64K
from appliance.media.mixer import mix
from appliance.media.talkspurt import TalkspurtStream
from appliance.media.under_talk import UnderTalk
from appliance.wire.lane_out import LaneOut
from appliance.wire.originals import Original


class BoothOut:
    """Where one booth is, the lanes that speak in it, and its RTP stream, which outlives this process.

    `originals` are its lanes' speakers, each once; they are heard when `under_talk` is there.
    """

    def __init__(
        self, booth: Booth, address: int, encode: Callable[[bytes], bytes], under_talk: UnderTalk | None
    ) -> None:
        self.booth = booth
        self.address = address
        self.lanes: list[LaneOut] = []
        self.originals: list[Original] = []
        self.under_talk = under_talk
        self.stream = TalkspurtStream(G722_64K, encode, ssrc=zlib.crc32(f"{booth.room} {booth.language}".encode()))

    def with_originals(self, frames: list[bytes]) -> list[bytes]:
        """What the lanes say at one tick, mixed with the originals; the empty list is silence, as it is in `frames`."""
        assert self.under_talk, "it is on"
        originals = [original.frame for original in self.originals if original.frame]
        heard = self.under_talk.mix(mix(frames) if frames else None, mix(originals) if originals else None)
        return [heard] if heard else []
