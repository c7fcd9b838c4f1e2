"""How often growing speech is decoded: as often as is wanted, and less often where decoding is slow."""

# Of one decoder's time. The rest is for those at a pause, who do not wait their turn, and for a synthesizer next door.
BUSIEST_SHARE = 0.5
MEMORY = 0.8  # how much of the old estimate a new batch leaves


class DecodePace:
    """Follows what a batch costs."""

    def __init__(self, step_ms: float) -> None:
        self._wanted_ms = step_ms
        self._batch_ms = 0.0

    def spent(self, batch_ms: float) -> None:
        """A batch has taken so long."""
        self._batch_ms = MEMORY * self._batch_ms + (1 - MEMORY) * batch_ms if self._batch_ms else batch_ms

    def step_ms(self, batches: int) -> float:
        """How much new speech a leg waits for, where all who speak fill so many batches."""
        return max(self._wanted_ms, batches * self._batch_ms / BUSIEST_SHARE)
