"""The messages that cross process boundaries: frozen values with units in their names, encoded as MessagePack."""

import msgspec


class Segment(msgspec.Struct, frozen=True, tag="segment"):
    """Text of part of one utterance of one leg, as far as it is known.

    A newer `revision` of the same (`leg`, `seq_num`) replaces an older one; after `final` there is none.
    `seq_num` is the uplink sequence number of the segment's first frame: it grows, and a restart does not repeat it.
    """

    leg: int
    call: int  # which use of the leg's place this is: Leg.call in the roster
    seq_num: int
    revision: int
    final: bool
    start_ns: int  # CLOCK_MONOTONIC at its first sample
    end_ns: int  # … at its last voiced sample
    language: str
    text: str
    asr_ms: float  # time spent in the recognizer for this revision


class Translation(msgspec.Struct, frozen=True, tag="translation"):
    """A segment's text in one lane's target language."""

    lane: int
    seq_num: int
    revision: int
    final: bool
    source: Segment
    target_language: str
    text: str
    mt_ms: float


class Spoken(msgspec.Struct, frozen=True, tag="spoken"):
    """What the synthesizer made of a translation; `frames` were pushed into the lane's downlink."""

    lane: int
    seq_num: int
    tts_first_ms: float  # text received to first frame pushed
    tts_ms: float
    frames: int


class FirstAudio(msgspec.Struct, frozen=True, tag="first_audio"):
    """The first sample of a translation left for the phone."""

    lane: int
    seq_num: int
    sent_ns: int
    chain_ns: int  # since the last voiced sample of its source


class HealthEvent(msgspec.Struct, frozen=True, tag="health"):
    """A decision about a component, as operators see it."""

    component: str
    status: str
    action: str
    ts_ns: int
    session_id: str = ""
    lag_ms: float = 0.0


class LogLine(msgspec.Struct, frozen=True, tag="log"):
    """One line of a process's log, written for it by the watchdog so that no worker ever waits for a disk or a pipe."""

    process: str
    level: str
    text: str
    ts_ns: int


JournalEntry = Translation | Spoken | FirstAudio | HealthEvent | LogLine
