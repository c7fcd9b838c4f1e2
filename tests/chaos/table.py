"""The faults: what is broken, by what, and what that may cost. Those without `short` are made by `make chaos` only."""

from dataclasses import dataclass
from typing import Literal

from appliance.drill.table import Bounds, Fault, Outcome, misses

Where = Literal["call", "wire", "engine", "place", "provider", "fleet"]
HANG_MS = 1_000.0  # a process that stands still is seen so soon
BACK_S = 40.0  # generous: models are read again, and the machine may be busy
MEDIA_MS = 250.0
RESULTS: list[tuple[Fault, Outcome]] = []  # in the order in which they were made


@dataclass(frozen=True, slots=True)
class Row:
    """`where`: which file of tests makes it. `turn`: whether somebody speaks after it in the short form, too."""

    where: Where
    fault: Fault
    short: bool = True
    turn: bool = False

    @property
    def name(self) -> str:
        return self.fault.name


@dataclass(frozen=True, slots=True)
class _Entry:
    """A row before it has a number."""

    where: Where
    name: str
    how: str
    bounds: Bounds
    short: bool = True
    turn: bool = False


def _death(gap_ms: float = 100.0) -> Bounds:
    return Bounds(seen_ms=HANG_MS, back_s=BACK_S, gap_ms=gap_ms)


def _hang(gap_ms: float = 100.0) -> Bounds:
    return Bounds(seen_ms=HANG_MS, back_s=BACK_S, gap_ms=gap_ms)


def rows(where: Where) -> list[Row]:
    """The faults that are made there, in their order."""
    return [row for row in TABLE if row.where == where]


def note(row: Row, outcome: Outcome) -> None:
    """Put it into the table that is printed at the end, and hold it against its bounds."""
    RESULTS.append((row.fault, outcome))
    assert not misses(row.fault, outcome)


# What waits for an engine: its patience, and some for a busy machine.
_ENGINE_S = 3.0

_SPARE_MS = 1_000.0  # until the next engine of the chain has told a sentence, whatever the first one does
_PROVIDER_BACK_S = 10.0  # it is tried again after 2 s, then 4, and some for a busy machine

_ENTRIES = (
    _Entry("call", "rtp killed", "kill -9", _death(MEDIA_MS)),
    _Entry("call", "asr killed", "kill -9", _death(), turn=True),
    _Entry("call", "mt killed", "kill -9", _death(), turn=True),
    _Entry("call", "tts killed", "kill -9", _death(), turn=True),
    _Entry("call", "calls killed", "kill -9", _death()),
    _Entry("call", "ops killed", "kill -9", _death()),
    _Entry("call", "rtp hangs", "SIGSTOP", _hang(MEDIA_MS), turn=True),
    _Entry("call", "asr hangs", "SIGSTOP", _hang(), short=False, turn=True),
    _Entry("call", "mt hangs", "SIGSTOP", _hang()),
    _Entry("call", "tts hangs", "SIGSTOP", _hang(), short=False, turn=True),
    _Entry("call", "calls hangs", "SIGSTOP", _hang()),
    _Entry("call", "watchdog killed", "kill -9", Bounds(back_s=BACK_S, gap_ms=1_000.0), turn=True),
    _Entry("call", "ARI cut for 1 s", "TCP closed", Bounds(seen_ms=HANG_MS, back_s=3.0, gap_ms=100.0)),
    _Entry("call", "ARI cut for 10 s", "TCP closed", Bounds(seen_ms=HANG_MS, back_s=13.0, gap_ms=100.0)),
    _Entry(
        "call",
        "ARI cut for 60 s",
        "TCP closed",
        Bounds(seen_ms=HANG_MS, back_s=63.0, gap_ms=100.0),
        short=False,
        turn=True,
    ),
    _Entry(
        "call",
        "ARI half-open",
        "packets swallowed",
        Bounds(seen_ms=10_000.0, back_s=20.0, gap_ms=100.0),
        short=False,
        turn=True,
    ),
    _Entry("call", "clock + 1 h", "LD_PRELOAD", Bounds(gap_ms=100.0)),
    _Entry("call", "clock - 1 h", "LD_PRELOAD", Bounds(gap_ms=100.0), turn=True),
    _Entry("call", "foreign packets", "10,000/s of RTP", Bounds(gap_ms=100.0)),
    _Entry("call", "Asterisk killed", "kill -9", Bounds(back_s=15.0, calls_lost=1), turn=True),
    *(
        _Entry("wire", name, how, Bounds(back_s=1.0, gap_ms=gap_ms))
        for name, how, gap_ms in (
            ("loss of 20 %", "RTP left out", 250.0),
            ("reordering", "RTP swapped", 100.0),
            ("another SSRC", "RTP rewritten", 100.0),
            ("sequence wrap", "RTP renumbered", 0.0),
            ("timestamp jump", "RTP rewritten", 0.0),
            ("foreign flood", "10,000/s of RTP", 100.0),
            ("fuzz", "broken RTP", None),
        )
    ),
    _Entry("place", "/dev/shm full at start", "a tmpfs of 1 MB", Bounds()),
    _Entry("place", "disk full", "a tmpfs of 64 kB", Bounds(back_s=10.0)),
    _Entry("fleet", "36 random deaths", "kill -9 every 5 s", Bounds(back_s=90.0), short=False, turn=True),
    _Entry("fleet", "six crashes", "kill -9 of mt", Bounds(back_s=120.0), short=False, turn=True),
    *(
        _Entry(
            "provider",
            f"{stage} provider: {name}",
            how,
            Bounds(seen_ms=_SPARE_MS, back_s=_PROVIDER_BACK_S),
            short=name in ("429", "half-open"),
        )
        for stage in ("asr", "mt")
        for name, how in (
            ("500", "HTTP status"),
            ("429", "HTTP status"),
            ("30 s hang", "no answer"),
            ("slow drip", "an answer in bits"),
            ("half-open", "packets swallowed"),
        )
    ),
    *(
        _Entry(
            "engine",
            f"{stage} engine {fails}",
            "toy",
            Bounds(back_s=_ENGINE_S),
        )
        for stage in ("asr", "mt", "tts")
        for fails in ("hangs", "raises", "babbles", "devours")
    ),
    *(_Entry("engine", f"only {stage} engine hangs", "toy", Bounds(HANG_MS)) for stage in ("asr", "mt", "tts")),
)
TABLE = tuple(
    Row(each.where, Fault(number, each.name, each.how, each.bounds), each.short, each.turn)
    for number, each in enumerate(_ENTRIES, 1)
)
