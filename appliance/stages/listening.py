"""One leg listened to: where in its sound somebody speaks, pauses, and has finished."""

from collections import deque

import numpy as np

from appliance.engines.protocols import Samples, VoiceDetector
from appliance.speech.endpointing import Endpointer, EndpointPolicy, Utterance
from appliance.stages.sound import Sound

# After some 5 s of silence Silero notices speech up to 0.4 s late, more than the pre-roll; a fresh state does not.
FRESH_STATE_WINDOWS = 64  # 2 s


class Listener:
    """Judges the windows of a `Sound` from sample `start` on. Its utterances are numbered in windows from there."""

    def __init__(self, detector: VoiceDetector, policy: EndpointPolicy, start: int = 0) -> None:
        self.over: Utterance | None = None  # the listener goes on when its owner has taken care of it
        self.voiced = 0  # windows so far
        self._detector = detector
        self._policy = policy
        self._start = start
        self._endpointer = Endpointer(policy)
        self._state: Samples = np.zeros(detector.state_size, np.float32)
        self._probabilities: deque[float] = deque()  # of the windows from `_heard` on
        self._heard = 0  # windows that the endpointer knows of
        self._voices: list[bool] = []  # of the windows before that, from `_voices_from` on
        self._voices_from = 0
        self._fresh_at = 0  # the window at which the detector's state was last a fresh one

    @property
    def in_utterance(self) -> bool:
        """Whether somebody has begun to speak, and it is not known to be over."""
        return self._endpointer.in_utterance

    @property
    def pause(self) -> Utterance | None:
        """The utterance that is over if its speaker says no more."""
        return self._endpointer.pause

    @property
    def heard_to(self) -> int:
        """The sample up to which everything is judged."""
        return self.sample(self._heard)

    @property
    def needed_from(self) -> int:
        """The first sample of an utterance that goes on, or that may begin now."""
        return self.sample(self._endpointer.needed_from)

    def sample(self, window: int) -> int:
        """Where a window begins."""
        return self._start + window * self._detector.window_samples

    def hear(self, sound: Sound) -> bool:
        """Take in one more window; returns whether there was one. There is none while an utterance is `over`."""
        if not self._probabilities:
            self._judge(sound)
        if not self._probabilities or self.over is not None:
            return False
        self._push(self._probabilities.popleft())
        return True

    def voiced_share(self, start: int, end: int) -> float:
        """How much of the windows from sample `start` to `end` is speech."""
        size = self._detector.window_samples
        first = max(0, (start - self._start) // size - self._voices_from)
        voices = self._voices[first : max(first, -(-(end - self._start) // size) - self._voices_from)]
        return sum(voices) / len(voices) if voices else 0.0

    def forget(self, before: int) -> None:
        """Nobody will ask for the windows before sample `before`."""
        count = (before - self._start) // self._detector.window_samples - self._voices_from
        if count > 0:
            del self._voices[:count]
            self._voices_from += count

    def _push(self, probability: float) -> None:
        self.over = self._endpointer.push(probability)
        self._heard += 1
        voiced = probability >= self._policy.goes_on_above
        self._voices.append(voiced)
        self.voiced += voiced

    def _judge(self, sound: Sound) -> None:
        size = self._detector.window_samples
        first = self.sample(self._heard + len(self._probabilities))
        count = (sound.end - first) // size
        if count <= 0:
            return
        self._refresh()
        windows = sound.samples(first, first + count * size).reshape(count, size)
        probabilities, self._state = self._detector.detect(windows, self._state)
        self._probabilities += map(float, probabilities)

    def _refresh(self) -> None:
        """In a silence, let the detector begin anew from time to time."""
        if self.in_utterance or self._heard - self._fresh_at < FRESH_STATE_WINDOWS:
            return
        self._state = np.zeros_like(self._state)
        self._fresh_at = self._heard
