"""Words that a stream of transcripts will not take back: what its engine commits, and what two revisions agree on."""

from appliance.engines.protocols import Transcript, Word
from appliance.speech.stable_prefix import WORDS_IN_SIGHT, common_prefix, remarked, restated


class SettledWords:
    """One leg's transcripts in, words out, each once.

    An engine that commits early is taken at its word. One that commits late, or only at the end of the utterance, has
    words in `tentative` meanwhile: those that two successive revisions begin with are settled, all but the last few.
    """

    def __init__(self) -> None:
        self.given: list[Word] = []  # of this utterance, with the marks and capitals of the newest revision
        self._seq_num = -1
        self.unsettled: list[Word] = []  # what the last revision said beyond them

    def push(self, transcript: Transcript) -> list[Word]:
        """The newest revision; returns the words that are settled now."""
        if transcript.seq_num != self._seq_num:
            self._seq_num, self.given, self.unsettled = transcript.seq_num, [], []
        said = transcript.committed + transcript.tentative
        before = self._said_before(said)
        self.given = remarked(self.given, said[:before])
        rest = said[before:]
        sure = len(rest) - len(transcript.tentative)
        agreed = common_prefix([word.text for word in self.unsettled], [word.text for word in rest])
        settled = max(0, sure, min(agreed, len(rest) - WORDS_IN_SIGHT))
        self.given += rest[:settled]
        self.unsettled = list(rest[settled:])
        return list(rest[:settled])

    def _said_before(self, said: tuple[Word, ...]) -> int:
        """How many of the first words were given out before; an engine may have thought better of some."""
        count = len(self.given)
        if said[:count] == tuple(self.given):
            return count
        return restated([word.text for word in self.given], [word.text for word in said])
