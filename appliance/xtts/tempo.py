"""Faster and slower speech: latents taken closer together or further apart, as coqui-tts does, but while they come."""

import torch
from torch import Tensor


class Tempo:
    """Stretches the latents of one text. `speed` may be changed at any time; what was told stays."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._place: float | None = None  # of the next latent told, among those that came
        self._seen = 0
        self._last: Tensor | None = None  # (1, width)

    def feed(self, latents: Tensor, is_last: bool = False) -> Tensor:
        """The next latents (n, width), maybe none. Returns what can be told now: a latent lies between two that came.

        At a constant speed that is torch's linear interpolation by 1 / speed, which takes the middle of the first for
        its own middle.
        """
        known = latents if self._last is None else torch.cat((self._last, latents))
        first = self._seen - (self._last is not None)
        self._seen += len(latents)
        if not len(known):
            return latents
        self._last = known[-1:]
        places = self._places(is_last)
        wanted = torch.tensor(places, dtype=torch.float64).sub(first).clamp(0, len(known) - 1)
        before = wanted.floor().long().clamp(max=len(known) - 1)
        share = (wanted - before).to(known)[:, None]
        before = before.to(known.device)
        return known[before] * (1 - share) + known[(before + 1).clamp(max=len(known) - 1)] * share

    def _places(self, is_last: bool) -> list[float]:
        """Where those lie that can be told: before the newest; at the end, as long as their middle is within it."""
        place = self.speed / 2 - 0.5 if self._place is None else self._place
        places = []
        while place + self.speed / 2 <= self._seen - 0.5 + 1e-9 if is_last else place <= self._seen - 1:
            places.append(max(place, 0.0))
            place += self.speed
        self._place = place
        return places
