"""What of a growing text is settled: LocalAgreement-2 over recognised words, and over translations.

A recognizer that hears speech while it goes on says something a little different each time. What two successive
hypotheses agree on is committed (Liu et al. 2020, "Low-latency sequence-to-sequence speech recognition and translation
by partial hypothesis selection"; Macháček et al. 2023 for Whisper), and what is committed is never taken back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from appliance.engines.protocols import Word
from appliance.units import NS_PER_MS

MARKS = ".,;:!?…\"'()[]«»“”\u2018’¿¡-–—"


# The last words of a growing translation turn over when more of the source is known (an adjective waits for its noun).
# On the LJ stream each word more that is held back makes the translation 0.2 to 0.5 chrF better, and 0.3 s later unless
# the listener has something to hear meanwhile.
FEWEST_HELD_WORDS = 5
MOST_HELD_WORDS = 7
BACKLOG_MS_PER_WORD = 150
LITTLE_WORD_CHARS = 3  # at most


# A word is committed with so many after it in sight: Whisper thinks better of a word when it hears the next, and puts
# the marks between them then. Nobody waits for it: what is not committed is translated along.
WORDS_IN_SIGHT = 2


@dataclass(frozen=True, slots=True)
class AgreementPolicy:
    """What has to be true of a word before it is committed, and how much sound a decode may look at."""

    # AlignAtt (Papi et al. 2023) holds back what attends to the last moments of the sound. With two hypotheses to agree
    # it gains nothing: with Whisper tiny, 400 ms made words come later, and no better.
    hold_back_ms: int = 0
    words_in_sight: int = WORDS_IN_SIGHT
    # Word times wander from one decode to the next by so much.
    time_slack_ms: int = 300
    longest_window_ms: int = 9_500  # short padding covers 10 s
    trim_beyond_ms: int = 6_000
    kept_words: int = 2  # committed words that stay in the window, to join the next hypothesis to
    prompt_words: int = 24


def plain(word: str) -> str:
    """A word as it is compared: without case and without punctuation around it."""
    return word.strip(MARKS).casefold()


def common_prefix(first: Sequence[str], second: Sequence[str]) -> int:
    """How many words two texts have in common from their beginning on."""
    pairs = zip(first, second, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if plain(a) != plain(b)), min(len(first), len(second)))


def restated(committed: Sequence[str], hypothesis: Sequence[str], most: int | None = None) -> int:
    """How many of the first words of `hypothesis` say again what is committed; at most `most`.

    That is the beginning of the hypothesis with the smallest edit distance to the committed words; the longest of
    equals, because a word less is a smaller accident than a word heard twice.
    """
    most = len(hypothesis) if most is None else min(most, len(hypothesis))
    said = [plain(word) for word in hypothesis[:most]]
    distances = list(range(most + 1))
    for row, word in enumerate(map(plain, committed), 1):
        diagonal, distances[0] = distances[0], row
        for column, other in enumerate(said, 1):
            substitution = diagonal + (word != other)
            diagonal = distances[column]
            distances[column] = min(diagonal + 1, distances[column - 1] + 1, substitution)
    return min(range(most, -1, -1), key=distances.__getitem__)


def remarked(words: Sequence[Word], again: Sequence[Word]) -> list[Word]:
    """`words`, the last of them with the marks and capitals that they have in `again`, as far back as those agree."""
    newer = list(words)
    for place, word in zip(range(len(words) - 1, -1, -1), reversed(again), strict=False):
        if plain(word.text) != plain(words[place].text):
            break
        newer[place] = replace(words[place], text=word.text)
    return newer


class StableWords:
    """The recognised words of one utterance after another of one leg.

    Each decode looks at a window of sound that begins at `window_start_ns` and gives the hypothesis for all of it.
    Committed words stay, but take the marks and capitals of later hypotheses, which know more of the sentence: whole
    segments of the LJ stream are translated 2 chrF better for it.
    """

    def __init__(self, policy: AgreementPolicy = AgreementPolicy()) -> None:
        self.policy = policy
        self.committed: list[Word] = []  # of the utterance, in order
        self.window_start_ns = 0
        self._before: list[str] = []  # the last words of earlier utterances, for the prompt
        self.unsettled: list[Word] = []  # what the last hypothesis said beyond the committed words

    def begin(self, start_ns: int) -> None:
        """A new utterance begins; everything committed becomes past."""
        self._before = self._past()
        self.committed = []
        self.unsettled = []
        self.window_start_ns = start_ns

    def push(self, hypothesis: Sequence[Word], window_end_ns: int) -> list[Word]:
        """The newest hypothesis for the window up to `window_end_ns`; returns the words that are committed now."""
        rest = self._beyond_committed(hypothesis)
        agreed = common_prefix([word.text for word in self.unsettled], [word.text for word in rest])
        settled_ns = window_end_ns - self.policy.hold_back_ms * NS_PER_MS
        in_time = sum(word.end_ns <= settled_ns for word in rest)
        settled = min(agreed, in_time, max(0, len(rest) - self.policy.words_in_sight))
        self.unsettled = rest[settled:]
        return self._commit(rest[:settled])

    def finish(self, hypothesis: Sequence[Word]) -> list[Word]:
        """The last hypothesis: the speaker has paused or stopped. All of it is committed; returns what is new."""
        self.unsettled = []
        return self._commit(self._beyond_committed(hypothesis))

    def trim(self, window_end_ns: int) -> int:
        """Let the window begin later if it has grown long; returns where it begins, always at a word's beginning."""
        if window_end_ns - self.window_start_ns > self.policy.trim_beyond_ms * NS_PER_MS:
            kept = self.committed[-self.policy.kept_words :]
            if kept:
                self.window_start_ns = max(self.window_start_ns, kept[0].start_ns)
        return self.window_start_ns

    def is_stuck(self, window_end_ns: int) -> bool:
        """Whether the window is too long for a decode although it was trimmed: time to `finish`."""
        return window_end_ns - self.window_start_ns > self.policy.longest_window_ms * NS_PER_MS

    def prompt(self) -> str:
        """The committed words before the window, for the recognizer to carry on from."""
        return " ".join(self._past(self.window_start_ns))

    def _past(self, until_ns: int | None = None) -> list[str]:
        said = [word.text for word in self.committed if until_ns is None or word.start_ns < until_ns]
        return (self._before + said)[-self.policy.prompt_words :]

    def _beyond_committed(self, hypothesis: Sequence[Word]) -> list[Word]:
        in_window = [word for word in self.committed if word.start_ns >= self.window_start_ns]
        if not in_window:
            return list(hypothesis)
        latest_ns = in_window[-1].end_ns + self.policy.time_slack_ms * NS_PER_MS
        most = sum(word.start_ns <= latest_ns for word in hypothesis)
        said = restated([word.text for word in in_window], [word.text for word in hypothesis], most)
        self.committed = remarked(self.committed, hypothesis[:said])
        return list(hypothesis[said:])

    def _commit(self, words: Sequence[Word]) -> list[Word]:
        """Add `words`, with times that never run backwards."""
        added = []
        for word in words:
            earliest_ns = self.committed[-1].end_ns if self.committed else self.window_start_ns
            start_ns = max(word.start_ns, earliest_ns)
            added.append(replace(word, start_ns=start_ns, end_ns=max(word.end_ns, start_ns)))
            self.committed.append(added[-1])
        return added


def words_to_hold_back(backlog_ms: float) -> int:
    """How many words at the end of a growing translation can wait, with so much speech before them to be heard."""
    return min(MOST_HELD_WORDS, FEWEST_HELD_WORDS + int(backlog_ms / BACKLOG_MS_PER_WORD))


def _are_of_two_kinds(committed: str, word: str) -> bool:
    """Whether one is a little word (article, pronoun, preposition) and the other is not: neither says the other again.

    "Eu", then "Sinto muito": without "Sinto", nobody would understand. 52 English texts that grew by a word or two at
    a time came 0.1 chrF nearer to the translation of the whole so, and 0.6 with three words held back instead of five.
    """
    return (len(plain(committed)) <= LITTLE_WORD_CHARS) != (len(plain(word)) <= LITTLE_WORD_CHARS)


class StableTranslation:
    """The translations of one growing segment. `committed` can be given to the engine as forced target prefix.

    An engine that takes no prefix may begin anew in other words; `mended` counts how often the committed words and a
    new translation had to be joined although they differ.
    """

    def __init__(self) -> None:
        self.committed: list[str] = []
        self.mended = 0
        self._unsettled: list[str] = []

    @property
    def prefix(self) -> str:
        """The committed words as text."""
        return " ".join(self.committed)

    def push(self, translation: str, hold_back_words: int = FEWEST_HELD_WORDS) -> str:
        """The translation of the segment as far as it is known now; returns the words that are committed now.

        None of its last `hold_back_words` is.
        """
        rest = self._beyond_committed(translation)
        agreed = min(common_prefix(self._unsettled, rest), max(0, len(rest) - hold_back_words))
        self._unsettled = rest[agreed:]
        return self._commit(rest[:agreed])

    def finish(self, translation: str) -> str:
        """The translation of the whole segment; returns all of it that has not been committed before."""
        self._unsettled = []
        return self._commit(self._beyond_committed(translation))

    def _beyond_committed(self, translation: str) -> list[str]:
        words = translation.split()
        said = restated(self.committed, words)
        self.mended += [plain(word) for word in words[:said]] != [plain(word) for word in self.committed]
        if said and self.committed and _are_of_two_kinds(self.committed[-1], words[said - 1]):
            said -= 1
        return words[said:]

    def _commit(self, words: list[str]) -> str:
        self.committed += words
        return " ".join(words)
