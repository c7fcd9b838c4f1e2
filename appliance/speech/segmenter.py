"""Committed words into segments that can be translated one by one: cut at clauses, pauses, length and waiting time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from appliance.engines.protocols import Word
from appliance.speech.number_words import number_words
from appliance.speech.stable_prefix import plain, remarked
from appliance.units import FRAME_NS, NS_PER_MS

_SENTENCE_END = re.compile(r"[.!?…][\"')»”]*$")
_PHRASE_END = re.compile(r"[.!?…,;:—][\"')»”]*$")
_ABBREVIATION = re.compile(r"(mr|mrs|ms|dr|dra|sr|sra|st|prof|vs|[a-hj-z])\.$", re.IGNORECASE)
_DIGIT = re.compile(r"\d")

# Words that begin a clause: before one, a long segment can be cut and both halves still translate well.
CLAUSE_OPENERS = {
    "en": "and but or because so if when while which who that where after before although since",
    "pt": "e mas ou porque então se quando enquanto que quem onde depois antes embora pois",
}


@cache
def _openers(language: str) -> frozenset[str]:
    return frozenset(CLAUSE_OPENERS.get(language.partition("-")[0], "").split())


@dataclass(frozen=True, slots=True)
class SegmentPolicy:
    """Where segments end, and how often a growing one is told.

    The defaults are for a translator that is asked again as a segment grows: it sees whole sentences, and its
    StableTranslation commits the parts early.
    """

    partial_words: int = 1  # new words before a growing segment is told again: translating it is cheap
    looks_ahead: bool = True  # it is also told again when what may follow has changed
    phrase_words: int = 12  # so many words before a comma ends a segment
    opener_words: int = 24  # so many before a word that begins a clause does
    most_words: int = 40
    pause_ms: int = 600  # silence between two words
    number_pause_ms: int = 1_200  # ... between two parts of a number: people read telephone numbers slowly
    longest_wait_ms: int = 15_000  # from the first word's beginning


@dataclass(frozen=True, slots=True)
class TextSegment:
    """Part of what one leg said, as far as it is committed.

    A newer `revision` of the same (`stream_id`, `seq_num`) replaces an older one and only ever adds words to it, though
    marks and capitals may change; where `partial` is False there is none after it. `seq_num` is the 20 ms tick of the
    capture clock at its first sample, or the next free one: it grows, and a restart does not repeat it.
    """

    stream_id: int
    seq_num: int
    revision: int
    partial: bool
    start_ns: int
    end_ns: int
    text: str
    ahead: str = ""  # words that follow in the same sentence, but may still change; none where it is not `partial`


class Segmenter:
    """The segments of one leg, called `stream_id` in them."""

    def __init__(self, stream_id: int, language: str, policy: SegmentPolicy = SegmentPolicy()) -> None:
        self.policy = policy
        self._stream_id = stream_id
        self.language = language  # may change: some people speak two
        self._words: list[Word] = []  # of the segment that is growing
        self._seq_num = 0
        self._revision = 0
        self._told = 0  # how many of the words were in its last revision …
        self._ahead = ""  # … and what it said would follow

    @property
    def waiting_since_ns(self) -> int | None:
        """When the growing segment began to be spoken; None between segments."""
        return self._words[0].start_ns if self._words else None

    @property
    def untold_since_ns(self) -> int | None:
        """When the first word was spoken that no segment has told yet; None if all are told."""
        return self._words[self._told].start_ns if len(self._words) > self._told else None

    def push(self, words: Sequence[Word], ahead: Sequence[Word] = ()) -> list[TextSegment]:
        """Words committed just now, and those `ahead` of them that may still change.

        Returns the segments they complete, and the growing one if it has grown enough or if there is news ahead of it.
        """
        segments = []
        for word in words:
            if self._words and self._ends_before(word):
                segments.append(self._cut())
            self._words.append(word)
            if self._ends_after(word):
                segments.append(self._cut())
        if self._has_news(self._in_sentence(ahead)):
            segments.append(self._segment(partial=True))
        return segments

    def remark(self, said: Sequence[Word]) -> None:
        """Take the newest marks and capitals of the growing segment's words, with which `said` ends."""
        self._words = remarked(self._words, said)

    def wait(self, now_ns: int) -> list[TextSegment]:
        """Time has passed: end a segment that has waited for too long."""
        since_ns = self.waiting_since_ns
        if since_ns is None or now_ns - since_ns < self.policy.longest_wait_ms * NS_PER_MS:
            return []
        return [self._cut()]

    def finish(self) -> list[TextSegment]:
        """The speaker has paused or stopped: what there is, is a segment."""
        return [self._cut()] if self._words else []

    def _has_news(self, ahead: str) -> bool:
        """Whether the growing segment is to be told again, now that `ahead` may follow."""
        is_other = self.policy.looks_ahead and ahead != self._ahead
        self._ahead = ahead if self.policy.looks_ahead else ""
        return bool(self._words) and (is_other or len(self._words) >= self._told + self.policy.partial_words)

    def _in_sentence(self, ahead: Sequence[Word]) -> str:
        """What `ahead` says until the growing segment's sentence ends."""
        ends = (place for place, word in enumerate(ahead, 1) if _ends_sentence(word.text))
        return " ".join(word.text for word in ahead[: next(ends, len(ahead))])

    def _ends_before(self, word: Word) -> bool:
        """Whether `word` belongs to the next segment."""
        last = self._words[-1]
        pause_ms = (word.start_ns - last.end_ns) / NS_PER_MS
        if self._is_number(last.text) and self._is_number(word.text):
            return pause_ms >= self.policy.number_pause_ms
        if pause_ms >= self.policy.pause_ms:
            return True
        return len(self._words) >= self.policy.opener_words and plain(word.text) in _openers(self.language)

    def _ends_after(self, word: Word) -> bool:
        """Whether `word` is the last of its segment, whatever comes next."""
        if _SENTENCE_END.search(word.text):
            return _ends_sentence(word.text)
        if self._is_number(word.text):  # there may be more of it
            return len(self._words) >= 2 * self.policy.most_words
        if _PHRASE_END.search(word.text) and len(self._words) >= self.policy.phrase_words:
            return True
        return len(self._words) >= self.policy.most_words

    def _is_number(self, word: str) -> bool:
        table = number_words(self.language)
        return bool(_DIGIT.search(word)) or (table is not None and plain(word) in table)

    def _cut(self) -> TextSegment:
        segment = self._segment(partial=False)
        self._words, self._told, self._revision, self._ahead = [], 0, 0, ""
        return segment

    def _segment(self, partial: bool) -> TextSegment:
        start_ns, end_ns = self._words[0].start_ns, self._words[-1].end_ns
        if self._revision == 0:
            self._seq_num = max(self._seq_num + 1, start_ns // FRAME_NS)
        self._revision += 1
        self._told = len(self._words)
        text = " ".join(word.text for word in self._words)
        ahead = self._ahead if partial else ""
        return TextSegment(self._stream_id, self._seq_num, self._revision - 1, partial, start_ns, end_ns, text, ahead)


def _ends_sentence(word: str) -> bool:
    return bool(_SENTENCE_END.search(word)) and not _ABBREVIATION.match(word)
