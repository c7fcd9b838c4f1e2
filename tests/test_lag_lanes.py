"""From the journal of a run to what was heard of a lane, and when."""

import pytest

from appliance.bench.lag_lanes import lane_result
from appliance.bench.lag_metrics import Interpreted
from appliance.frames.messages import FirstAudio, JournalEntry, LogLine, Segment, Spoken, Translation

START_NS = 5_000_000_000


def ns(ms: float) -> int:
    return START_NS + round(ms * 1e6)


def translation(revision: int, added: str, final: bool, text: str, lane: int = 0, seq_num: int = 7) -> Translation:
    source = Segment(0, 1, seq_num, revision, final, ns(1_000), ns(3_000), "en", text, 50.0)
    return Translation(lane, seq_num, revision, final, source, "pt-br", added, 9.0)


def spoken(clause: int, text: str, begin_ms: float, end_ms: float, frames: int, lane: int = 0) -> Spoken:
    return Spoken(lane, 7, clause, text, ns(begin_ms), ns(end_ms), 90.0, 150.0, frames)


def first_audio(clause: int, sent_ms: float, lane: int = 0) -> FirstAudio:
    return FirstAudio(lane, 7, clause, ns(sent_ms), 0)


ENTRIES: list[JournalEntry] = [
    translation(0, "bom dia", False, "good morning", lane=0),
    spoken(0, "bom dia", 1_000, 2_000, 50),
    first_audio(0, 2_500),
    LogLine("tts", "info", "lane 0 speaks", ns(2_500)),
    translation(1, "a todos", True, "good morning to all"),
    spoken(1, "a todos", 2_000, 3_000, 40),
    first_audio(1, 3_400),
]


def test_every_clause_has_its_source_and_its_sound() -> None:
    result = lane_result(ENTRIES, 0, START_NS)
    assert result.heard == (
        Interpreted("bom dia", 1_000, 2_000, 2_500, 3_400),  # played faster than its 50 frames say: the next has begun
        Interpreted("a todos", 2_000, 3_000, 3_400, 4_200),
    )
    assert (result.source, result.translation) == ("good morning to all", "bom dia a todos")
    [said] = result.said
    assert (said.start_ms, said.end_ms) == (1_000, 3_000)
    assert (result.revisions, result.unheard) == (0, 0)
    assert result.stages_ms == {"recognizing": 50, "translating": 9, "text to first sound": 90}


def test_a_lane_has_only_what_is_its_own() -> None:
    other: list[JournalEntry] = [
        translation(0, "guten Morgen", True, "good morning", lane=1),
        spoken(0, "guten Morgen", 1_000, 2_000, 50, lane=1),
        first_audio(0, 2_600, lane=1),
    ]
    assert lane_result([*ENTRIES, *other], 0, START_NS) == lane_result(ENTRIES, 0, START_NS)
    assert lane_result([*ENTRIES, *other], 1, START_NS).translation == "guten Morgen"


@pytest.mark.parametrize(
    "changed",
    [
        [spoken(1, "para todos", 2_000, 3_000, 40)],  # other words than were translated
        [spoken(0, "boa tarde", 1_000, 2_000, 50), spoken(1, "a todos", 2_000, 3_000, 40)],  # said again, differently
        [spoken(2, "a todos", 2_000, 3_000, 40), spoken(1, "e tchau", 2_000, 3_000, 40)],
    ],
)
def test_what_was_heard_and_then_changed_is_counted(changed: list[JournalEntry]) -> None:
    assert lane_result([*ENTRIES[:5], *changed], 0, START_NS).revisions > 0


def test_what_never_left_for_the_phone_is_counted() -> None:
    for kept in range(1, len(ENTRIES)):
        assert lane_result(ENTRIES[:kept], 0, START_NS).unheard == 1
    assert lane_result([], 0, START_NS).heard == ()
