"""What a remote recogniser says about a stretch of audio, put together into the transcripts of utterances."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from appliance.engines.protocols import StreamContext, Transcript, Word


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word, in seconds since the connection began."""

    text: str
    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Heard:
    """One message of a recogniser about the utterance that it is in, whatever its protocol.

    If `final`, the words are added to the utterance for good; else they are all that follows what is final.
    Audio before `settled_s` will not be spoken of again. `language` is what it detected, if it did.
    """

    words: tuple[HeardWord, ...] = ()
    final: bool = False
    ends: bool = False  # … the utterance
    settled_s: float | None = None
    language: str = ""


class Utterance:
    """The utterance that a stream is in. It begins with its first word, and the next one begins when it has ended."""

    def __init__(self, context: StreamContext, language: str) -> None:
        self._newest = Transcript(context, -1, 0, True, language, ())

    def hear(
        self, heard: Heard, timed: Callable[[HeardWord], Word], seq_num: Callable[[float], int]
    ) -> Transcript | None:
        """Its newest revision, or None if `heard` changes nothing.

        timed: gives a word the time at which it was captured; seq_num: the sequence number of the frame that was heard
        at that many seconds of the connection.
        """
        before = self._newest
        if before.final:
            if not heard.words:
                return None
            # Never the one of the utterance before: with its sequence number it would replace that.
            number = max(seq_num(heard.words[0].start_s), before.seq_num + 1)
            before = Transcript(before.context, number, 0, False, before.language, ())
        words = tuple(timed(word) for word in heard.words)
        committed = before.committed + words if heard.final else before.committed
        tentative = () if heard.final else words
        if not heard.ends and (committed, tentative) == (before.committed, before.tentative):
            return None
        self._newest = replace(
            before,
            revision=before.revision + 1,
            final=heard.ends,
            language=heard.language or before.language,
            committed=committed,
            tentative=tentative,
        )
        return self._newest
