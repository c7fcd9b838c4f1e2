"""One text being spoken: what its listener holds, and what the runtime knows of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue

import numpy as np
from torch import Tensor

from appliance.engines.protocols import ClonedVoice, Samples
from appliance.units import NS_PER_S
from appliance.xtts.guards import EndGuard, Joint
from appliance.xtts.sampling import Sampling
from appliance.xtts.schedule import StreamState
from appliance.xtts.tempo import Tempo
from appliance.xtts.vocoder import VocoderStream


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """As much of a text as the model takes at once."""

    tokens: Sequence[int]
    most_tokens: int  # of its speech
    guard: EndGuard


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """A whole text, in parts, to be spoken in `voice`."""

    voice: ClonedVoice
    parts: Sequence[Part]
    sampling: Sampling


class _End:
    def __init__(self, error: Exception | None) -> None:
        self.error = error


class Utterance:
    """The listener's end: iterate it for the sound, mono float32, piece by piece. For any thread.

    `speed` may be set while it is spoken; the next chunk follows. Iterating raises EngineError.
    """

    def __init__(self, request: Request, speed: float, opened_ns: int, closed: Callable[["Utterance"], None]) -> None:
        self.request = request
        self.speed = speed
        self.opened_ns = opened_ns
        self.is_wanted = True
        self._closed = closed
        self._pieces: SimpleQueue[Samples | _End] = SimpleQueue()

    def __iter__(self) -> Iterator[Samples]:
        while not isinstance(piece := self._pieces.get(), _End):
            yield piece
        self._pieces.put(piece)  # whoever asks again finds the end again
        if piece.error:
            raise piece.error

    def close(self) -> None:
        """Nobody listens any more: its place is free at once. Idempotent."""
        self.is_wanted = False
        self._pieces.put(_End(None))
        self._closed(self)

    def tell(self, samples: Samples) -> None:
        """Give the listener more; the runtime does."""
        self._pieces.put(samples)

    def end(self, error: Exception | None = None) -> None:
        """There is no more; the runtime says so."""
        self._pieces.put(_End(error))


@dataclass(slots=True, eq=False)
class Speaking:
    """The runtime's end: one part of an utterance in a slot of the batch, on its way through the vocoder."""

    utterance: Utterance
    joint: Joint
    slot: int
    sound: VocoderStream
    number: int = 0  # of the part
    tempo: Tempo = field(default_factory=Tempo)
    spoken: int = 0  # tokens of this part
    made: int = 0  # ... of which so many are sound
    made_before: int = 0  # of earlier parts
    is_over: bool = False
    dry_ns: int | None = None

    @property
    def part(self) -> Part:
        """What is being spoken."""
        return self.utterance.request.parts[self.number]

    def state(self, unread: int) -> StreamState:
        """What the schedule has to know."""
        return StreamState(
            slot=self.slot,
            opened_ns=self.utterance.opened_ns,
            unread=unread,
            told=self.made_before + self.made,
            waiting=self.spoken - self.made,
            is_over=self.is_over,
            dry_ns=self.dry_ns,
        )

    def push(self, latents: Tensor) -> None:
        """Give the vocoder the latents of all tokens that were spoken and are not sound yet."""
        self.tempo.speed = self.utterance.speed
        stretched = self.tempo.feed(latents, self.is_over)
        self.made = self.spoken
        room = len(self.sound.latents) - self.sound.known  # slow speech has more latents than the model has tokens
        self.is_over = self.is_over or len(stretched) > room
        if not self.sound.ended:
            self.sound.push(stretched[:room])
        if self.is_over:
            self.sound.finish()

    def tell(self, samples: Samples, rate_hz: int, now_ns: int) -> bool:
        """Pass on what the vocoder made of it, as far as it is of the text. Returns whether the part has ended."""
        kept, is_babble = self.part.guard.keep(samples)
        has_ended = is_babble or self.sound.ended
        told = self.joint.feed(kept, has_ended)
        if len(told):
            self.utterance.tell(np.ascontiguousarray(told, np.float32))
            self.dry_ns = max(self.dry_ns or 0, now_ns) + len(told) * NS_PER_S // rate_hz
        return has_ended
