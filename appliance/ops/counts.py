"""Which counters of which processes are shown as which metrics."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """One series: the labels' values, and the counter of one process that it shows."""

    labels: tuple[str, ...]
    process: str
    counter: str


@dataclass(frozen=True, slots=True)
class Count:
    """One metric that only grows."""

    name: str
    meaning: str
    labels: tuple[str, ...]
    sources: tuple[Source, ...]


COUNTS = (
    Count(
        "frames",
        "Frames of 20 ms carried: from phones to the engines, from the engines to booths.",
        ("direction",),
        (Source(("uplink",), "rtp", "uplink_frames"), Source(("downlink",), "rtp", "downlink_frames")),
    ),
    Count(
        "packets",
        "RTP packets exchanged with Asterisk.",
        ("direction",),
        (Source(("in",), "rtp", "packets_in"), Source(("out",), "rtp", "packets_out")),
    ),
    Count(
        "drops",
        "What was thrown away: packets, frames or messages, by the queue it was for and the reason.",
        ("queue", "reason"),
        (
            Source(("input", "late"), "rtp", "late_packets"),
            Source(("input", "duplicate"), "rtp", "duplicates"),
            Source(("input", "stray"), "rtp", "strays"),
            Source(("input", "garbage"), "rtp", "garbage"),
            Source(("input", "stranger"), "rtp", "strangers"),
            Source(("uplink", "overrun"), "asr", "dropped_frames"),
            Source(("uplink", "overload"), "asr", "overload_frames"),
            Source(("segments", "unwanted"), "mt", "dropped_messages"),
            Source(("translations", "unwanted"), "tts", "dropped_messages"),
            Source(("translations", "overload"), "tts", "overload_words"),
            Source(("downlink", "overrun"), "rtp", "dropped_frames"),
            Source(("output", "unsent"), "rtp", "unsent"),
            Source(("log", "overrun"), "watchdog", "dropped_messages"),
        ),
    ),
    Count(
        "concealed_frames",
        "Frames made up because their packet was missing.",
        (),
        (Source((), "rtp", "concealed_frames"),),
    ),
    Count("underruns", "Times that speech ran dry in the middle of a clause.", (), (Source((), "rtp", "underruns"),)),
    Count("missed_ticks", "Ticks of 20 ms that rtp slept through.", (), (Source((), "rtp", "missed_ticks"),)),
    Count(
        "errors",
        "Calls of an engine that failed.",
        ("stage",),
        tuple(Source((stage,), stage, "engine_errors") for stage in ("asr", "mt", "tts")),
    ),
    Count(
        "voice_mismatches",
        "Times that somebody in a call did not sound like the voice on file, or the learned one, any more.",
        (),
        (Source((), "voices", "voice_mismatches"),),
    ),
    Count("calls", "Calls that were given a room.", (), (Source((), "calls", "calls"),)),
    Count("calls_full", "Calls that were refused, or not interpreted: no place.", (), (Source((), "calls", "full"),)),
    Count(
        "asterisk_reconnects", "Times that Asterisk's events stopped coming.", (), (Source((), "calls", "reconnects"),)
    ),
)
