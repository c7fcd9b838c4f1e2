"""Notices what should move and does not: one-way audio, above all."""

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Stillness(Generic[Key]):
    """Watches positions that should change at least every `limit_ns`. Pure: it is given the time."""

    def __init__(self, limit_ns: int) -> None:
        self._limit_ns = limit_ns
        self._seen: dict[Key, tuple[int, int]] = {}  # position, and since when

    def look(self, positions: Mapping[Key, int], now_ns: int) -> int:
        """How many of these have not moved for too long. One that is not among them is forgotten."""
        seen = {key: self._seen.get(key, (position, now_ns)) for key, position in positions.items()}
        self._seen = {
            key: seen[key] if seen[key][0] == position else (position, now_ns) for key, position in positions.items()
        }
        return sum(now_ns - since_ns > self._limit_ns for _, since_ns in self._seen.values())
