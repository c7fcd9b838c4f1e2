"""The messages that cross process boundaries: frozen values with units in their names, encoded as MessagePack."""

import msgspec


class Segment(msgspec.Struct, frozen=True, tag="segment"):
    """Text of part of what one leg said, as far as it is committed.

    A newer `revision` of the same (`leg`, `seq_num`) only adds words to the older one, though marks and capitals may
    change; after `final` there is none.
    `seq_num` is the 20 ms tick of the capture clock at its first sample, or the next free one: it grows, and a restart
    does not repeat it for other speech.
    """

    leg: int
    call: int  # which use of the leg's place this is: Leg.call in the roster
    seq_num: int
    revision: int
    final: bool
    start_ns: int  # CLOCK_MONOTONIC at its first sample
    end_ns: int  # … at its last voiced sample, so far
    language: str
    text: str
    asr_ms: float  # time spent in the recognizer for this revision
    ahead: str = ""  # what seems to follow in the same sentence; it may still change, and is empty where `final`


class LanguageFound(msgspec.Struct, frozen=True, tag="language"):
    """What a leg speaks whose route says `auto`: told with each of its utterances, so that nobody has to remember."""

    leg: int
    call: int  # which use of the leg's place this is
    language: str
    foreign: str = ""  # what it really seems to be, where nobody here interprets that; `language` is a makeshift then


class SpeakerFound(msgspec.Struct, frozen=True, tag="speaker"):
    """Whose voice on file a leg's translations are spoken with: told again until the roster says so."""

    leg: int
    call: int  # which use of the leg's place this is
    speaker: str  # id of the voice; empty: a stock voice
    chosen_by: str  # "route", "number" or "voice"; empty: nobody knows who it is
    manner: int = 0  # in which of the voice's manners they speak just now


class Translation(msgspec.Struct, frozen=True, tag="translation"):
    """What one more revision of a segment adds to what is said in one lane; it is never taken back.

    The translation of a segment is the `text` of all its revisions, joined by spaces; only the last, `final`, may be
    empty.
    """

    lane: int
    seq_num: int
    revision: int
    final: bool
    source: Segment
    target_language: str
    text: str
    mt_ms: float


class Spoken(msgspec.Struct, frozen=True, tag="spoken"):
    """What the synthesizer made of one clause of a translation; `frames` were pushed into the lane's downlink."""

    lane: int
    seq_num: int
    clause: int  # counts from 0 within the segment
    text: str
    start_ns: int  # what it translates: from the end of the clause before it, or the segment's start …
    end_ns: int  # … to here; the words of one translation are spread evenly over the speech that it came with
    tts_first_ms: float  # text received to first frame pushed
    tts_ms: float
    frames: int
    revision: int = 0  # of the translation that its last word came with …
    words: int = 0  # … and how many words of that one have been spoken now: a restart goes on after them


class FirstAudio(msgspec.Struct, frozen=True, tag="first_audio"):
    """The first sample of a clause left for the phone."""

    lane: int
    seq_num: int
    clause: int
    sent_ns: int
    chain_ns: int  # since the last voiced sample of the speech that its translation came with


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

CLAUSE_BITS = 12


def clause_stream(seq_num: int, clause: int) -> int:
    """The `stream` of a clause's frames in a downlink."""
    return seq_num << CLAUSE_BITS | clause


def clause_of(stream: int) -> tuple[int, int]:
    """The inverse of `clause_stream`: (seq_num, clause)."""
    return stream >> CLAUSE_BITS, stream & (1 << CLAUSE_BITS) - 1
