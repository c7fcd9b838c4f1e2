"""Segments that wait to be translated: of each, only its newest revision."""

from appliance.frames.messages import Segment
from appliance.frames.text import TextReader


class Waiting:
    """What mt has read and not translated yet, in the order of the first revisions. A final one replaces the others."""

    def __init__(self, segments: TextReader[Segment]) -> None:
        self._segments = segments
        self._newest: dict[tuple[int, int, int], tuple[Segment, int]] = {}

    def take(self) -> Segment | None:
        """The next segment to translate, with everything that has come until now; None when there is none."""
        self._read()
        if not self._newest:
            return None
        segment, _ = self._newest.pop(next(iter(self._newest)))
        return segment

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
