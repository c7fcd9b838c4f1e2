"""One leg heard: frames from its uplink in, utterances ready to be recognised out."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from appliance.engines.protocols import Samples, VoiceDetector
from appliance.frames.ring import Frame, RingReader
from appliance.frames.roster import Leg
from appliance.speech.endpointing import Endpointer, EndpointPolicy, Utterance
from appliance.units import FRAME_BYTES, FRAME_SAMPLES, NS_PER_S, SAMPLE_RATE_HZ

FRAMES_AT_ONCE = 64
TAIL_SAMPLES = SAMPLE_RATE_HZ * 160 // 1000  # silence after an utterance that its recognizer gets, if it is there
FULL_SCALE = 32_768
# After some 5 s of silence Silero notices speech up to 0.4 s late, more than the pre-roll; a fresh state does not.
FRESH_STATE_WINDOWS = 64  # 2 s


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """An utterance, with its sound (16 kHz) and its place in the leg's uplink and in time."""

    utterance: Utterance
    samples: Samples
    seq_num: int  # of its first frame
    start_ns: int
    end_ns: int  # of its last voiced sample


class Listener:
    """Follows one leg during one call.

    What `hear` has given out stays uncommitted in the ring until `settle`: a process that dies in between, and is
    started again, hears it again.
    """

    def __init__(self, leg: Leg, uplink: RingReader, detector: VoiceDetector, policy: EndpointPolicy) -> None:
        self.leg = leg
        self.dropped_frames = 0
        self._uplink = uplink
        self._detector = detector
        self._policy = policy
        self._restart()

    def _restart(self) -> None:
        """Begin at the next frame as if nothing had been heard before."""
        self._endpointer = Endpointer(self._policy)
        self._state = np.zeros(self._detector.state_size, np.float32)
        self._frames: deque[Frame] = deque()  # those that may still be needed
        self._first_frame = 0  # how many came before them
        self._sound = bytearray()  # of `_frames`
        self._next_sequence = -1
        self._judged = 0  # windows
        self._fresh_at = 0  # the window at which the detector's state was last a fresh one

    def hear(self) -> Iterator[Heard]:
        """Take in what the ring holds; yields each utterance that is over."""
        while frames := self._uplink.pop_many(FRAMES_AT_ONCE):
            self._take(frames)
            for probability in self._judge():
                over = self._endpointer.push(probability)
                if over is not None:
                    yield self._heard(over)
            self._refresh()
            self._forget()

    def pause(self) -> Heard | None:
        """The utterance that is over if its speaker says no more."""
        utterance = self._endpointer.pause
        return None if utterance is None else self._heard(utterance)

    def settle(self) -> None:
        """Everything that `hear` gave out has been dealt with: never replay it."""
        self._uplink.commit(self._frames[0].sequence if self._frames else self._uplink.position)

    def close(self) -> None:
        """The call is over: leave nothing of it to the next one at this place."""
        self._uplink.seek(self._uplink.head)
        self._uplink.commit()

    def _take(self, frames: list[Frame]) -> None:
        for frame in frames:
            if self._next_sequence not in (-1, frame.sequence):  # overrun: what is left of an utterance makes no sense
                self.dropped_frames += frame.sequence - self._next_sequence
                self._restart()
            self._next_sequence = frame.sequence + 1
            self._frames.append(frame)
            self._sound += frame.payload

    def _judge(self) -> list[float]:
        """The probabilities of speech in the windows that are complete and not judged yet."""
        size = self._detector.window_samples
        first = self._judged * size - self._first_frame * FRAME_SAMPLES
        count = (len(self._frames) * FRAME_SAMPLES - first) // size
        if count == 0:
            return []
        windows = self._samples(first, first + count * size).reshape(count, size)
        probabilities, self._state = self._detector.detect(windows, self._state)
        self._judged += count
        return [float(probability) for probability in probabilities]

    def _refresh(self) -> None:
        """In a silence, let the detector begin anew from time to time."""
        if self._endpointer.in_utterance or self._judged - self._fresh_at < FRESH_STATE_WINDOWS:
            return
        self._state = np.zeros_like(self._state)
        self._fresh_at = self._judged

    def _heard(self, utterance: Utterance) -> Heard:
        size, offset = self._detector.window_samples, self._first_frame * FRAME_SAMPLES
        start, end = utterance.start * size - offset, utterance.end * size - offset
        return Heard(
            utterance,
            self._samples(start, end + TAIL_SAMPLES),
            self._frames[start // FRAME_SAMPLES].sequence,
            self._time_ns(start),
            self._time_ns(end - 1),
        )

    def _samples(self, start: int, end: int) -> Samples:
        """Those from `start` to `end`, or to where the sound ends."""
        # A copy, because a bytearray that somebody looks at cannot change its size.
        samples: Samples = np.frombuffer(self._sound, "<i2")[start:end].astype(np.float32)
        return samples / np.float32(FULL_SCALE)

    def _time_ns(self, sample: int) -> int:
        """When a sample was spoken; a frame's capture time is that of its first one."""
        within_ns = sample % FRAME_SAMPLES * NS_PER_S // SAMPLE_RATE_HZ
        return self._frames[sample // FRAME_SAMPLES].capture_ns + within_ns

    def _forget(self) -> None:
        """Let go of the frames that no utterance to come can contain."""
        needed = self._endpointer.needed_from * self._detector.window_samples // FRAME_SAMPLES - self._first_frame
        for _ in range(needed):
            self._frames.popleft()
        del self._sound[: needed * FRAME_BYTES]
        self._first_frame += needed
