"""The rings of the appliance: who writes each, who reads it, how long it remembers."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class RingKind:
    """One kind of ring; there is one ring of it per leg, lane or process, or a single one."""

    name: str
    writer: str  # process name; "*": the process that the ring is named after
    reader: str
    slots: int  # a power of two
    per: Literal["leg", "lane", "process", "box"]
    abreast: bool = False  # all are written at each tick: the slots of one tick lie side by side


RINGS = (
    RingKind("uplink", "rtp", "asr", slots=512, per="leg", abreast=True),  # 10.24 s: also the replay buffer
    RingKind("downlink", writer="tts", reader="rtp", slots=2048, per="lane"),  # 40.96 s: the longest utterance
    RingKind("segments", writer="asr", reader="mt", slots=256, per="box"),
    RingKind("languages", writer="asr", reader="calls", slots=64, per="box"),
    RingKind("speech", writer="asr", reader="voices", slots=256, per="leg"),  # 5.12 s: who is away listens later
    RingKind("speakers", writer="voices", reader="calls", slots=64, per="box"),
    RingKind("samples", writer="voices", reader="tts", slots=1024, per="box"),  # 6 s of three legs
    RingKind("translations", writer="mt", reader="tts", slots=256, per="box"),
    RingKind("journal", writer="*", reader="watchdog", slots=256, per="process"),
    RingKind("health", writer="watchdog", reader="ops", slots=1024, per="box"),  # what operators may look back on
    RingKind("timings", writer="watchdog", reader="ops", slots=2048, per="box"),
)
