"""How a lane keeps up with its speaker: how much it says in one breath, and what it does when it has fallen behind.

Behind, it speaks faster, then pauses less, then merges what waits.
"""

from dataclasses import dataclass

FASTEST = 1.25  # beyond that speech loses its dignity
SHORTEST_PAUSES = 0.25


@dataclass(frozen=True, slots=True)
class CatchUpPolicy:
    """From which backlog on what is done, in ms of speech that waits to be heard."""

    faster_ms: int = 400
    fastest_ms: int = 500  # from here on at FASTEST; pauses begin to shorten
    shortest_ms: int = 1_400  # from here on with SHORTEST_PAUSES; chunks are merged
    # Backlog has to shrink by so much before a measure is taken back: speech in chunks makes it saw up and down.
    hysteresis_ms: int = 250
    faster_per_s: float = 0.20  # nobody notices speech that gathers speed so slowly
    slower_per_s: float = 0.08
    pauses_per_s: float = 0.75


@dataclass(frozen=True, slots=True)
class Pace:
    """How a lane speaks now: how many times as fast, how much of its pauses is left, whether chunks are joined."""

    speed: float = 1.0
    pauses: float = 1.0
    merge: bool = False


@dataclass(frozen=True, slots=True)
class SynthesisCost:
    """What a synthesizer takes for a chunk: a fixed time, and some for each second of speech."""

    fixed_ms: float = 50
    per_second_ms: float = 100
    chars_per_s: float = 15.0  # of the language it speaks


def learned(cost: SynthesisCost, took_ms: float, speech_ms: float, chars: int, weight: float = 0.5) -> SynthesisCost:
    """What a synthesizer takes, after one more chunk: of `chars` characters it made `speech_ms` of speech."""
    if not chars or speech_ms <= 0:
        return cost
    per_second_ms = max(0.0, took_ms - cost.fixed_ms) / (speech_ms / 1000)
    chars_per_s = chars / (speech_ms / 1000)
    return SynthesisCost(
        cost.fixed_ms,
        max(1.0, cost.per_second_ms + weight * (per_second_ms - cost.per_second_ms)),
        cost.chars_per_s + weight * (chars_per_s - cost.chars_per_s),
    )


def synthesis_ms(chars: int, cost: SynthesisCost) -> float:
    """How long a synthesizer takes for a chunk of so many characters."""
    return cost.fixed_ms + cost.per_second_ms * chars / cost.chars_per_s


def chunk_chars(backlog_ms: float, cost: SynthesisCost, shortest: int = 20, longest: int = 80) -> int:
    """How many characters the next chunk may have so that its voice is ready when the backlog has been heard.

    With nothing to cover it, a chunk is as short as it may be: it is heard soonest. A long one sounds better.
    """
    affordable_s = (backlog_ms - cost.fixed_ms) / cost.per_second_ms
    return max(shortest, min(longest, int(affordable_s * cost.chars_per_s)))


def next_pace(pace: Pace, backlog_ms: float, elapsed_ms: float, policy: CatchUpPolicy = CatchUpPolicy()) -> Pace:
    """The pace from now on, `elapsed_ms` after `pace` was decided, with `backlog_ms` of speech waiting."""
    wanted = _wanted(backlog_ms, policy)
    allowed = _wanted(backlog_ms + policy.hysteresis_ms, policy)  # as much may stay as it is
    seconds = elapsed_ms / 1000
    return Pace(
        speed=_approach(
            pace.speed, wanted.speed, allowed.speed, policy.faster_per_s * seconds, policy.slower_per_s * seconds
        ),
        pauses=-_approach(
            -pace.pauses, -wanted.pauses, -allowed.pauses, policy.pauses_per_s * seconds, policy.pauses_per_s * seconds
        ),
        merge=wanted.merge or (pace.merge and allowed.merge),
    )


def _wanted(backlog_ms: float, policy: CatchUpPolicy) -> Pace:
    """What a backlog calls for by itself."""
    faster = _part(backlog_ms, policy.faster_ms, policy.fastest_ms)
    shorter = _part(backlog_ms, policy.fastest_ms, policy.shortest_ms)
    return Pace(
        speed=1 + (FASTEST - 1) * faster,
        pauses=1 - (1 - SHORTEST_PAUSES) * shorter,
        merge=backlog_ms > policy.shortest_ms,
    )


def _part(backlog_ms: float, none_ms: float, all_ms: float) -> float:
    return min(1.0, max(0.0, (backlog_ms - none_ms) / (all_ms - none_ms)))


def _approach(now: float, least: float, most: float, up: float, down: float) -> float:
    """`now` moved into `least` … `most`, by at most `up` or `down`."""
    if now < least:
        return min(least, now + up)
    if now > most:
        return max(most, now - down)
    return now
