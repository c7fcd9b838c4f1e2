"""Segments that wait to be translated: of each, only its newest revision."""

from appliance.frames.messages import Segment
from appliance.frames.text import TextReader


class Waiting:
    """What mt has read and not translated yet, in the order of the first revisions. A final one replaces the others.

    A segment that could not be translated is put back: what its leg says after it waits, and other legs do not.
    """

    def __init__(self, segments: TextReader[Segment]) -> None:
        self._segments = segments
        self._newest: dict[tuple[int, int, int], tuple[Segment, int]] = {}
        self._taken_at = 0
        self._due_ns: dict[tuple[int, int], int] = {}  # of the segment that was put back, by leg and call

    def take(self, now_ns: int) -> Segment | None:
        """The next segment to translate, with everything that has come until now; None when there is none."""
        self._read()
        key = next((key for key in self._newest if self._due_ns.get(key[:2], 0) <= now_ns), None)
        if key is None:
            return None
        self._due_ns.pop(key[:2], None)
        segment, self._taken_at = self._newest.pop(key)
        return segment

    def put_back(self, segment: Segment, due_ns: int) -> None:
        """`segment`, the last one taken, is to be taken again from `due_ns` on, before all others of its leg."""
        key = segment.leg, segment.call, segment.seq_num
        self._newest = {key: (segment, self._taken_at), **self._newest}
        self._due_ns[key[:2]] = due_ns

    def commit(self) -> None:
        """What was taken is done: a restarted mt begins with what still waits."""
        before = min((position for _, position in self._newest.values()), default=self._segments.position)
        self._segments.commit(before)

    def _read(self) -> None:
        position = self._segments.position
        while (segment := self._segments.read()) is not None:
            key = segment.leg, segment.call, segment.seq_num
            known = self._newest.get(key)
            if known is None or not known[0].final:
                self._newest[key] = segment, position
            position = self._segments.position
