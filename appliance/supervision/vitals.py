"""One process's row of vital signs in shared memory: is it alive, is it ready, what has it counted.

A row is 64 words of 64 bits. Each word has one writer, the watchdog or the process itself, so no lock is needed.
"""

from collections.abc import Iterable
from enum import IntEnum
from itertools import islice

from appliance import clock
from appliance.supervision.recovery import Signs

WORDS = 64
FIRST_COUNTER = 16

# The words before the counters. The watchdog writes the first four, the process the others.
PID, STATE, SPAWNED_NS, EXITS, READY_NS, HEARTBEAT_NS, BUSY_UNTIL_NS, MAY_REST = range(8)

# What processes count or measure. A restart does not reset them. Append yours at the end: the position is the address.
COUNTERS = (
    "packets_in",
    "packets_out",
    "frames_in",
    "frames_out",
    "strangers",  # packets from an address that nobody expects
    "garbage",  # packets that are no RTP, or not the RTP we asked for
    "concealed_frames",
    "dropped_frames",
    "dropped_messages",
    "tick_late_us",
    "tick_late_max_us",
    "lag_ms",
    "utterances",
    "segments",
    "translations",
    "engine_errors",
    "calls",
    "reconnects",
    "uplink_frames",  # pushed to asr, the concealed ones included
    "downlink_frames",  # played to booths
    "duplicates",
    "late_packets",  # came after their place had been concealed
    "reordered",
    "strays",  # packets far out of their stream
    "jumps",  # streams that began anew at another place
    "underruns",  # clauses that ran dry before their end
    "unsent",  # packets the kernel did not take
    "missed_ticks",
    "realtime",  # 1: scheduled SCHED_FIFO
    "facts_repaired",  # numbers that a translation had changed, put right
    "facts_retried",  # segments translated a second time because some had got lost
    "facts_lost",  # those that were lost all the same
    "mended",  # segments whose translation began anew in other words, and was joined to what had been told
    "full",  # callers for whom there was no place
    "asterisk_up",  # 1: the stream of Asterisk's events is there
    "breakers",  # the state of each engine's, in BREAKER_BITS bits each, in the order of the configuration
    "lanes_degraded",  # lanes whose listeners hear the original, because nobody can interpret it
    "overload_words",  # words not said because their lane was too far behind
    "overload_frames",  # frames not recognised because their leg was too far behind
    "trunks",  # the state of each, in TRUNK_BITS bits each, in the order of the configuration
    "stock_legs",  # legs that should be spoken in their own voice and are not, by reason: REASON_BITS bits each
    "strange_legs",  # legs whose voice was taken away, because it is somebody else who speaks
    "voice_mismatches",  # times that a leg did not sound like its voice any more
)
BREAKER_BITS = 2
MOST_BREAKERS = 64 // BREAKER_BITS
REASON_BITS = 8
TRUNK_BITS = 2
TRUNK_STATES = (None, True, False)  # whether Asterisk reaches it; None: nobody knows
_WORD_OF = {name: FIRST_COUNTER + place for place, name in enumerate(COUNTERS)}
assert FIRST_COUNTER + len(COUNTERS) <= WORDS


class State(IntEnum):
    """What the watchdog makes of a process."""

    STOPPED = 0
    STARTING = 1
    UP = 2
    LATE = 3
    STUCK = 4  # being killed
    WAITING = 5  # exited, to be restarted after its backoff
    CIRCUIT_OPEN = 6  # exited too often: tried again now and then
    STOPPING = 7
    STANDBY = 8  # loaded and warm, it waits to take over

    @property
    def words(self) -> str:
        """For who reads it."""
        return self.name.lower().replace("_", " ")


class Vitals:
    """Reads and writes one row.

    `words`: 64 unsigned 64-bit words, a memoryview over shared memory or any other mutable sequence.
    """

    def __init__(self, words: "memoryview[int] | list[int]") -> None:
        self._words = words

    @property
    def pid(self) -> int:
        """Process id of the last spawn; 0 before the first."""
        return self._words[PID]

    @property
    def state(self) -> State:
        """As the watchdog last judged it."""
        return State(self._words[STATE])

    @state.setter
    def state(self, state: State) -> None:
        self._words[STATE] = state

    @property
    def spawned_ns(self) -> int:
        """When the running process was spawned."""
        return self._words[SPAWNED_NS]

    @property
    def exits(self) -> int:
        """How often this process has ended without being told to."""
        return self._words[EXITS]

    @exits.setter
    def exits(self, count: int) -> None:
        self._words[EXITS] = count

    @property
    def ready_ns(self) -> int:
        """When it reported ready; 0: not yet."""
        return self._words[READY_NS]

    @property
    def heartbeat_ns(self) -> int:
        """The last turn of its work loop."""
        return self._words[HEARTBEAT_NS]

    @property
    def busy_until_ns(self) -> int:
        """Deadline of the engine call it is in; 0: it is in none."""
        return self._words[BUSY_UNTIL_NS]

    @busy_until_ns.setter
    def busy_until_ns(self, deadline_ns: int) -> None:
        self._words[BUSY_UNTIL_NS] = deadline_ns

    @property
    def may_rest(self) -> bool:
        """Whether the engine call it is in need not use the processor: another machine answers it, for example."""
        return bool(self._words[MAY_REST])

    @may_rest.setter
    def may_rest(self, may: bool) -> None:
        self._words[MAY_REST] = may

    def signs(self) -> Signs:
        """What a verdict is made of, as it is now."""
        return Signs(
            self.spawned_ns,
            self.ready_ns,
            self.heartbeat_ns,
            self.busy_until_ns,
            may_rest=self.may_rest,
        )

    def begin(self, now_ns: int) -> None:
        """Forget the dead predecessor: nothing runs yet, so nobody else writes to this row."""
        self._words[READY_NS] = self._words[HEARTBEAT_NS] = self._words[BUSY_UNTIL_NS] = self._words[MAY_REST] = 0
        self._words[SPAWNED_NS] = now_ns
        self.state = State.STARTING

    def spawned(self, pid: int) -> None:
        """Note who it is."""
        self._words[PID] = pid

    def beat(self) -> None:
        """The work loop turned once more."""
        self._words[HEARTBEAT_NS] = clock.now_ns()

    def ready(self) -> None:
        """Warmed up: from now on the heartbeat counts."""
        self.beat()
        self._words[READY_NS] = self._words[HEARTBEAT_NS]

    def add(self, counter: str, amount: int = 1) -> None:
        """Count. Raises KeyError for a name that is not in COUNTERS."""
        self._words[_WORD_OF[counter]] += amount

    def set(self, counter: str, value: float) -> None:
        """Set a measurement, cut to a whole number, negative ones to 0."""
        self._words[_WORD_OF[counter]] = max(0, int(value))

    def get(self, counter: str) -> int:
        """The present value."""
        return self._words[_WORD_OF[counter]]

    def counters(self) -> dict[str, int]:
        """All that are not zero, by name."""
        return {name: value for name in COUNTERS if (value := self.get(name))}


def breakers(word: int) -> list[int]:
    """The states in the counter "breakers", as appliance.recovery.breaker.State numbers them."""
    return _parts(word, BREAKER_BITS)


def breaker_word(states: Iterable[int]) -> int:
    """The inverse of `breakers`."""
    return _joined(states, BREAKER_BITS)


def trunks(word: int) -> list[bool | None]:
    """The states in the counter "trunks", as TRUNK_STATES has them."""
    return [TRUNK_STATES[state] for state in _parts(word, TRUNK_BITS)]


def trunk_word(states: Iterable[bool | None]) -> int:
    """The inverse of `trunks`; those that the word has no room for are left out."""
    return _joined(islice(map(TRUNK_STATES.index, states), 64 // TRUNK_BITS), TRUNK_BITS)


def reasons(word: int) -> list[int]:
    """The counts in the counter "stock_legs", in the order of appliance.recovery.voice_ladder.REASONS."""
    return _parts(word, REASON_BITS)


def reason_word(counts: Iterable[int]) -> int:
    """The inverse of `reasons`; 255 stands for more, too."""
    most = (1 << REASON_BITS) - 1
    return _joined((min(count, most) for count in counts), REASON_BITS)


def _parts(word: int, bits: int) -> list[int]:
    mask = (1 << bits) - 1
    return [word >> place * bits & mask for place in range(64 // bits)]


def _joined(values: Iterable[int], bits: int) -> int:
    return sum(value << place * bits for place, value in enumerate(values))
