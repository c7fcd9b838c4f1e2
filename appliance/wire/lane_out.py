"""One lane on its way out: from its ring through its playout, faster where it has fallen behind its speaker."""

from appliance.frames.ring import END, START, Frame, RingReader
from appliance.frames.roster import Lane, call_stamp
from appliance.media.hurry import Piece
from appliance.media.playout import Playout
from appliance.recovery.ladder import Rung
from appliance.speech.catch_up import Pace, next_pace
from appliance.units import FRAME_BYTES, FRAME_MS

# A clause that begins so long after what it translates is on time: recognition and voice need that. So is all that
# waits behind it then: a sentence that was made in one go is long, and no backlog. Little, because hurrying
# costs little: played 1.25 times as fast, two words in a hundred more are lost on Whisper base (13 instead of 11 %).
ORDINARY_MS = 300


class LaneOut:
    """One lane's ring and playout. What has not been played stays uncommitted: a restarted process plays it.

    Frames carry the number of their call: what the last call at this place left in the ring is not for this one.
    """

    def __init__(self, lane: Lane, reader: RingReader, prefill_frames: int) -> None:
        self.lane = lane
        self.reader = reader
        self.playout = Playout(prefill_frames)
        self.dropped = reader.dropped
        self.late_ms = 0.0  # how long after what it translates the newest clause began to be heard
        self.rung = Rung()
        self.raised_before = 0  # of the rung, a tick ago
        self.missing = ""  # what is missing to interpret it
        self._call = call_stamp(lane.call)
        self._pace = Pace()

    @property
    def is_speaking(self) -> bool:
        """Whether a translation is heard, or about to be."""
        return bool(self.playout.queued) or self.playout.is_playing

    def tick(self) -> Piece | None:
        """The next 20 ms of this lane, or None."""
        reader, playout = self.reader, self.playout
        wanted = playout.wanted
        while wanted > 0 and (frame := reader.pop()):
            if frame.timestamp == self._call:
                playout.push(_piece(frame))
                wanted -= 1
            elif not playout.queued:
                reader.commit()  # or it would seem to wait
        piece = playout.tick()
        if piece:
            reader.commit(reader.position - playout.queued)
        return piece

    def keep_up(self, elapsed_ms: float) -> None:
        """Decide how fast it speaks from now on, `elapsed_ms` after it was decided last."""
        waiting_ms = (self.reader.depth + self.playout.queued) * FRAME_MS
        backlog_ms = min(waiting_ms, max(0.0, self.late_ms - ORDINARY_MS))
        if backlog_ms or self._pace.speed > 1.0:
            self._pace = next_pace(self._pace, backlog_ms, elapsed_ms)
            self.playout.speed = self._pace.speed


def _piece(frame: Frame) -> Piece:
    payload, flags = frame.payload, frame.flags
    if len(payload) < FRAME_BYTES:
        payload = payload.ljust(FRAME_BYTES, b"\0")
    return Piece(payload, frame.stream, frame.capture_ns, flags & START != 0, flags & END != 0)
