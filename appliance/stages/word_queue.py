"""What one lane has still to say: words, in order, each with the translation that it came with."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from appliance.frames.messages import Translation


@dataclass(slots=True)
class Taken:
    """A translation in a lane's queue; done when none of its words waits any more.

    `due_ns` is when it would be said by somebody who says everything as fast as it was said in the source: a long
    sentence that comes all at once is not late because it takes its time.
    """

    translation: Translation
    position: int  # of the reader of translations, after it
    received_ns: int
    waiting: int = 0
    due_ns: int = 0


@dataclass(frozen=True, slots=True)
class QueuedWord:
    """A word of `taken`: the `place`-th, counted from 1. It translates what was said until `end_ns`."""

    text: str
    taken: Taken
    place: int
    end_ns: int


class WordQueue:
    """The words of one lane. A segment is open until its final translation is here, or one of the next segment."""

    def __init__(self) -> None:
        self._words: deque[QueuedWord] = deque()
        self._newest: Translation | None = None
        self._due_ns = 0  # of what comes next

    def __bool__(self) -> bool:
        return bool(self._words)

    def put(self, taken: Taken, spoken: int) -> None:
        """Add the words of a translation, but for the first `spoken`, which have been said."""
        translation, start_ns = taken.translation, self._said_until_ns(taken.translation)
        words = translation.text.split()
        span_ns = translation.source.end_ns - start_ns
        for place, word in list(enumerate(words, 1))[spoken:]:
            # Nobody knows which source word a target word translates: they are spread evenly.
            self._words.append(QueuedWord(word, taken, place, start_ns + span_ns * place // len(words)))
        taken.waiting = max(0, len(words) - spoken)
        taken.due_ns = max(taken.received_ns, self._due_ns)
        self._due_ns = taken.due_ns + max(0, span_ns)
        self._newest = translation

    def of_segment(self) -> list[QueuedWord]:
        """All words that wait of the oldest segment that has any."""
        seq_num = self._words[0].taken.translation.seq_num
        return [word for word in self._words if word.taken.translation.seq_num == seq_num]

    @property
    def is_closed(self) -> bool:
        """Whether no more words of the oldest segment will come."""
        assert self._newest, "there are words"
        return self._newest.final or self._newest.seq_num != self._words[0].taken.translation.seq_num

    def pop(self, count: int) -> list[QueuedWord]:
        """Take the first words off. They wait until they are `done`."""
        return [self._words.popleft() for _ in range(count)]

    def _said_until_ns(self, translation: Translation) -> int:
        """Until when was said what the words before those of `translation` translate."""
        newest, source = self._newest, translation.source
        goes_on = newest is not None and newest.seq_num == translation.seq_num
        return min(newest.source.end_ns, source.end_ns) if goes_on and newest else source.start_ns


def done(words: Iterable[QueuedWord]) -> None:
    """These words have been said, or will not be."""
    for word in words:
        word.taken.waiting -= 1
