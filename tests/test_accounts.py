"""What became of each segment: joined from translations that grow and clauses that are spoken one by one."""

from appliance.demo.accounts import accounts
from appliance.demo.call import heard_until_ns
from appliance.demo.report import utterances
from appliance.frames.messages import FirstAudio, JournalEntry, Segment, Spoken, Translation
from appliance.units import FRAME_NS, NS_PER_MS, NS_PER_S

S = NS_PER_S
SAID = ["the", "old", "house", "on", "the", "hill", "is", "for", "sale"]


def translation(revision: int, text: str, final: bool = False, end_s: float = 2.0, seq_num: int = 50) -> Translation:
    said = SAID[: 3 * (revision + 1)]
    source = Segment(0, 1, seq_num, revision, final, S, int(end_s * S), "en", " ".join(said), 80.0)
    return Translation(0, seq_num, revision, final, source, "pt-br", text, 12.0)


def spoken(clause: int, text: str, frames: int, end_s: float = 2.0, seq_num: int = 50) -> Spoken:
    return Spoken(0, seq_num, clause, text, S, int(end_s * S), tts_first_ms=90.0 + clause, tts_ms=150.0, frames=frames)


def first_audio(clause: int, sent_s: float, end_s: float, seq_num: int = 50) -> FirstAudio:
    return FirstAudio(0, seq_num, clause, int(sent_s * S), int((sent_s - end_s) * S))


HALF: list[JournalEntry] = [
    translation(0, "a velha casa", end_s=1.8),
    spoken(0, "a velha casa", 40, end_s=1.8),
    first_audio(0, 2.5, 1.8),
]
WHOLE: list[JournalEntry] = [
    *HALF,
    translation(1, "na colina", end_s=2.6),
    translation(2, "", final=True, end_s=3.0),
    spoken(1, "na colina", 30, end_s=3.0),
    first_audio(1, 3.5, 3.0),
]


def test_a_segment_is_one_row_with_all_that_its_revisions_added() -> None:
    [row] = utterances(WHOLE, call_start_ns=0)
    assert row.text == "the old house on the hill is for sale"
    assert row.translation == "a velha casa na colina"
    assert (row.speech_start_ms, row.speech_end_ms, row.first_audio_ms) == (
        1000,
        3000,
        2500,
    )  # it began while the person spoke
    assert (row.chain_latency_ms, row.lag_ms, row.tts_first_ms) == (-500, 700, 90)


def test_rows_are_in_the_order_of_speech_and_say_how_far_they_got() -> None:
    later = translation(0, "adeus", final=True, seq_num=90)
    early = Translation(1, 40, 0, True, Segment(1, 1, 40, 0, True, S // 2, S, "pt-br", "oi", 9.0), "en", "hi", 9.0)
    rows = utterances([later, *WHOLE, early], call_start_ns=0)
    assert [row.translation for row in rows] == ["hi", "adeus", "a velha casa na colina"]
    assert [row.first_audio_ms for row in rows] == [None, None, 2500]
    assert rows[1].speech_end_ms == 2000


def test_what_a_restarted_process_gives_out_again_changes_nothing() -> None:
    again: list[JournalEntry] = [
        translation(1, "na colina", end_s=2.6),
        spoken(1, "na colina", 9, end_s=3.0),
        first_audio(1, 9.5, 3.0),
    ]
    assert utterances([*WHOLE, *again], 0) == utterances(WHOLE, 0)
    assert heard_until_ns([*WHOLE, *again], 0) == heard_until_ns(WHOLE, 0)


def test_a_translation_is_heard_when_its_last_clause_is_over() -> None:
    assert heard_until_ns([], 0) is None
    for known in range(1, len(WHOLE)):
        assert heard_until_ns(WHOLE[:known], 0) is None
    assert heard_until_ns(WHOLE, 0) == 3.5 * S + 30 * FRAME_NS


def test_what_was_said_before_is_not_waited_for() -> None:
    assert heard_until_ns(HALF, int(1.9 * S)) is None
    assert heard_until_ns([*WHOLE, translation(0, "adeus", seq_num=90, end_s=9.0)], int(1.9 * S)) is None
    assert heard_until_ns([translation(0, "adeus", seq_num=90, end_s=1.0), *WHOLE], int(1.9 * S)) is not None


def test_a_clause_without_sound_is_not_waited_for() -> None:
    silent: list[JournalEntry] = [
        translation(0, "Sim. –", final=True, end_s=1.8),
        spoken(0, "Sim.", 20),
        spoken(1, "–", 0),
        first_audio(0, 2.5, 1.8),
    ]
    assert heard_until_ns(silent, 0) == 2.5 * S + 400 * NS_PER_MS
    assert heard_until_ns([translation(0, "", final=True)], 0) == 0


def test_clauses_without_a_translation_have_no_account() -> None:
    assert accounts([spoken(0, "sim", 3), first_audio(0, 2.5, 1.8)]) == []
