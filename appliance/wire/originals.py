"""What the legs say, for those who hear it under its translation: rtp reads back what it has put into its own rings."""

from collections.abc import Sequence, Set

from appliance.frames.ring import RingWriter
from appliance.frames.roster import Roster
from appliance.media.under_talk import UnderTalk, least_audible

DELAY_FRAMES = 2  # packets come with jitter: so many in hand bridge it
FARTHEST_FRAMES = 5  # the phone's clock is faster than ours, or a burst has come
HOLD_FRAMES = 15  # soft sounds between loud ones are heard, and soft noise alone is not


class Original:
    """One leg's speech, a little behind its ring. `frame` is this tick's 20 ms, None while there is nothing to hear.

    `least`: the magnitude of a sample that can be heard.
    """

    def __init__(self, writer: RingWriter, call: int, least: int) -> None:
        self.call = call
        self.frame: bytes | None = None
        self.is_raised = False  # heard louder than softly: all of it
        self._writer = writer
        self._least = least
        self._next = writer.head
        self._waits = True  # until there is enough in hand
        self._hold_frames = 0

    def tick(self) -> None:
        """Go on by 20 ms."""
        ahead = self._writer.head - self._next
        self._waits = ahead < (DELAY_FRAMES if self._waits else 1)
        if ahead > FARTHEST_FRAMES:
            self._next += ahead - DELAY_FRAMES
        self.frame = None if self._waits else self._read()

    def _read(self) -> bytes | None:
        sequence, self._next = self._next, self._next + 1
        if loud := self._writer.read_back(sequence, 1 if self.is_raised else self._least):
            self._hold_frames = HOLD_FRAMES
            return loud
        if not self._hold_frames:
            return None
        self._hold_frames -= 1
        return self._writer.read_back(sequence)


class Originals:
    """The legs of the roster as their listeners hear them, at `level_db` against their own loudness.

    `writers`: of the uplink rings, by the legs' places; this process pushes into them. `level_db` None: only those are
    heard that are raised.
    """

    def __init__(self, writers: Sequence[RingWriter], level_db: float | None) -> None:
        self._writers = writers
        self._level_db = level_db
        self._of: dict[int, Original] = {}
        self._raised: set[int] = set()

    def follow(self, roster: Roster) -> None:
        """Read those legs of `roster` that somebody hears in translation."""
        self._raised = set()  # of those that are new, nobody knows yet
        spoken = {lane.leg for lane in roster.lanes}
        self._of = {leg.place: self._follow_leg(leg.place, leg.call) for leg in roster.legs if leg.place in spoken}

    def tick(self) -> None:
        """Go on by 20 ms."""
        for original in self._of.values():
            if self._level_db is not None or original.is_raised:
                original.tick()
            else:
                original.frame = None

    def raise_legs(self, places: Set[int]) -> None:
        """The legs at these places, and no others, are heard louder than softly."""
        if places != self._raised:
            self._raised = set(places)
            for place, original in self._of.items():
                original.is_raised = place in places

    def of(self, leg: int) -> Original | None:
        """The leg at this place, if it is there."""
        return self._of.get(leg)

    def new_mix(self) -> UnderTalk:
        """For one more listener."""
        return UnderTalk(self._level_db)

    def _follow_leg(self, place: int, call: int) -> Original:
        known = self._of.get(place)
        if known and known.call == call:
            return known
        return Original(self._writers[place], call, least_audible(self._level_db or 0.0))
