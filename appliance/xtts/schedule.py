"""Who is served next: listeners who hear nothing yet, then those who would soon hear nothing more. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.units import NS_PER_MS

TOKEN_MS = 1024 / 22_050 * 1000  # of speech; what a token may cost, if the streams are to keep up
FIRST_CHUNK_TOKENS = 6  # the vocoder keeps about three back, so 140 ms are heard of them
LEAST_CHUNK_TOKENS = 4
# With what the vocoder looks at on either side, they fill a window of 128 frames; one more would take 192 of them.
LONGEST_CHUNK_TOKENS = 23
HURRY_MS = 200  # with less to be heard, small chunks are told too
NEED_MS = 500  # a stream with less ahead of its listener needs the machine
FAR_AHEAD_MS = 2000  # one with more can wait for those
USABLE_SHARE = 0.8  # of the time; the rest is for newcomers, whose text has to be read


@dataclass(frozen=True, slots=True)
class StreamState:
    """One stream between two turns. Times are CLOCK_MONOTONIC."""

    slot: int
    opened_ns: int
    unread: int = 0  # positions of voice and text
    told: int = 0  # tokens that were made sound
    waiting: int = 0  # tokens that were not yet
    is_over: bool = False  # there are no more tokens
    dry_ns: int | None = None  # when all that was told will have been heard; None: nothing was told

    def ahead_ms(self, now_ns: int) -> float:
        """How much speech there is, heard or not, that its listener has still to hear."""
        heard_out_ms = 0.0 if self.dry_ns is None else (self.dry_ns - now_ns) / NS_PER_MS
        return heard_out_ms + self.waiting * TOKEN_MS


@dataclass(frozen=True, slots=True)
class Turn:
    """What is done next, by slot: newcomers' text read, one token more spoken, tokens made sound."""

    read: tuple[int, ...]
    step: tuple[int, ...]
    tell: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """What is done at once, so that nobody waits long for others: newcomers read, and streams made sound."""

    read: int
    tell: int


def next_turn(streams: Sequence[StreamState], now_ns: int, limits: Limits) -> Turn:
    """What to do now."""
    ordered = sorted(streams, key=_urgency)
    due = [stream.slot for stream in ordered if is_due(stream, now_ns)]
    newcomers = [stream.slot for stream in ordered if stream.unread]
    speakers = [stream for stream in ordered if not stream.unread and not stream.is_over]
    if any(_needs(stream, now_ns) for stream in streams):
        speakers = [stream for stream in speakers if stream.ahead_ms(now_ns) <= FAR_AHEAD_MS]
    return Turn(
        read=tuple(newcomers[: limits.read]),
        step=tuple(stream.slot for stream in speakers),
        tell=tuple(due[: limits.tell]),
    )


def chunk_tokens(told: int) -> int:
    """How many tokens the next chunk should have: few at first, for the first sound; then more, which cost less."""
    return min(FIRST_CHUNK_TOKENS + told // 2, LONGEST_CHUNK_TOKENS)


def is_due(stream: StreamState, now_ns: int) -> bool:
    """Whether its waiting tokens should be made sound now."""
    if stream.is_over or stream.waiting >= chunk_tokens(stream.told):
        return True
    # Whose listener hears nothing already is served best by chunks that cost less a token.
    is_dry_soon = stream.dry_ns is not None and 0 <= (stream.dry_ns - now_ns) / NS_PER_MS < HURRY_MS
    return is_dry_soon and stream.waiting >= LEAST_CHUNK_TOKENS


def capacity(turn_ms: Sequence[tuple[int, float]]) -> int:
    """How many streams a machine carries: each needs a token within the time that one is heard. At least one.

    turn_ms: what giving a token, made sound, to so many streams takes; between two of them it is taken to rise evenly.
    """
    allowed_ms, carried, before_ms = USABLE_SHARE * TOKEN_MS, 0, 0.0
    for streams, took_ms in sorted(turn_ms):
        if took_ms > allowed_ms:
            share = (allowed_ms - before_ms) / (took_ms - before_ms)
            return max(1, carried + int(share * (streams - carried)))
        carried, before_ms = streams, took_ms
    return max(1, carried)


def _urgency(stream: StreamState) -> tuple[bool, int]:
    """Lower is sooner: who has heard nothing in the order they came, then by when it would be silent."""
    return (stream.dry_ns is not None, stream.opened_ns if stream.dry_ns is None else stream.dry_ns)


def _needs(stream: StreamState, now_ns: int) -> bool:
    return stream.dry_ns is None or (not stream.is_over and stream.ahead_ms(now_ns) < NEED_MS)
