"""Endpointing: from the probability of speech in each window to where utterances begin and end."""

from dataclasses import dataclass

from appliance.units import SAMPLE_RATE_HZ

WINDOW_SAMPLES = 512  # what the voice detector judges at once
WINDOW_MS = 1000 * WINDOW_SAMPLES // SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class EndpointPolicy:
    """When speech begins, pauses and ends. Times are rounded up to whole windows."""

    hang_ms: int = 400  # silence that ends an utterance
    pause_ms: int = 160  # silence after which an utterance may have ended: time to start recognising it
    preroll_ms: int = 200  # kept from before the first voiced window: soft consonants
    least_voiced_ms: int = 128  # less is a click or a cough
    least_voiced_share: float = 0.25  # of an utterance's windows; less is a rustle, and recognizers hear words in it
    longest_ms: int = 9_000  # an uplink ring remembers 10.24 s, so the longest utterance can still be replayed
    starts_above: float = 0.5
    goes_on_above: float = 0.35


@dataclass(frozen=True, slots=True)
class Utterance:
    """Windows `start` … `end` - 1 of a leg: the pre-roll, and then speech up to its last voiced window."""

    start: int
    end: int
    voiced: int  # how many of its windows are voiced


class Endpointer:
    """Finds the utterances of one leg. Windows are numbered from 0 in the order they are pushed.

    `needed_from` is the first window that an utterance to come may still contain: older ones can be forgotten.
    `pause` is the utterance that ends here if nobody speaks on; None while somebody speaks or nobody has.
    """

    def __init__(self, policy: EndpointPolicy) -> None:
        self.policy = policy
        self.needed_from = 0
        self._window = 0  # the next one to be pushed
        self._probabilities: list[float] = []  # of the windows since needed_from, while an utterance is open
        self._end = 0  # after the last voiced window
        self._voiced = 0
        self._open = False

    @property
    def in_utterance(self) -> bool:
        """Whether somebody has begun to speak and the utterance is not over."""
        return self._open

    @property
    def pause(self) -> Utterance | None:
        silent_ms = (self._window - self._end) * WINDOW_MS
        if self._open and silent_ms >= self.policy.pause_ms and self._is_speech():
            return self._utterance()
        return None

    def push(self, probability: float) -> Utterance | None:
        """Judge the next window; returns the utterance that is over now, if one is."""
        self._window += 1
        if not self._open and not self._opens(probability):
            return None
        self._probabilities.append(probability)
        if probability >= self.policy.goes_on_above:
            self._end = self._window
            self._voiced += 1
        if (self._window - self._end) * WINDOW_MS >= self.policy.hang_ms:
            return self._close()
        if (self._window - self.needed_from) * WINDOW_MS >= self.policy.longest_ms:
            return self._cut()
        return None

    def _opens(self, probability: float) -> bool:
        """Open an utterance if speech begins in this window; else let the pre-roll move on."""
        preroll = -(-self.policy.preroll_ms // WINDOW_MS)
        self.needed_from = max(self.needed_from, self._window - 1 - preroll)
        if probability < self.policy.starts_above:
            return False
        self._open = True
        self._probabilities = [0.0] * (self._window - 1 - self.needed_from)
        self._voiced = 0
        return True

    def _utterance(self) -> Utterance:
        return Utterance(self.needed_from, self._end, self._voiced)

    def _is_speech(self) -> bool:
        share = self._voiced / (self._end - self.needed_from)
        return self._voiced * WINDOW_MS >= self.policy.least_voiced_ms and share >= self.policy.least_voiced_share

    def _close(self) -> Utterance | None:
        utterance = self._utterance() if self._is_speech() else None
        self._open = False
        # Pre-roll never reaches back into speech that has been given out.
        self.needed_from = self._end
        return utterance

    def _cut(self) -> Utterance | None:
        """End an utterance that has become too long where its speaker came nearest to a pause; the rest goes on."""
        here = self.needed_from + _best_pause(self._probabilities)
        if here >= self._end:
            return self._close()
        rest = self._probabilities[here - self.needed_from :]
        spoken_on = sum(p >= self.policy.goes_on_above for p in rest)
        utterance = Utterance(self.needed_from, here, self._voiced - spoken_on)
        self.needed_from, self._probabilities, self._voiced = here, rest, spoken_on
        return utterance


def _best_pause(probabilities: list[float]) -> int:
    """The window in the later half around which speech is least likely; the last such one."""
    first, last = len(probabilities) // 2, len(probabilities) - 1
    return min(range(last - 1, first, -1), key=lambda here: sum(probabilities[here - 1 : here + 2]))
