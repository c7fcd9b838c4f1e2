"""Who can be interpreted now, from the vital signs of the stages."""

import pytest

from appliance.config import EnginesConfig
from appliance.frames.roster import Lane, Leg, Roster
from appliance.supervision.vitals import WORDS, State, Vitals, breaker_word
from appliance.wire.interpreters import Interpreters

ENGINES = EnginesConfig(
    recognizers={"en": "whisper-tiny-en", "*": ("deepgram-nova", "whisper-base")},
    translator=("deepl", "bergamot"),
    synthesizers={"en": ("elevenlabs", "piper"), "pt-br": "kokoro"},
)
# deepgram-nova is the second of asr; deepl the first of mt; elevenlabs, piper, kokoro those of tts.
INTO_PT = Lane(0, 1, 0, "pt-br", 0)
INTO_EN = Lane(1, 1, 1, "en", 1)
INTO_EN_FROM_ES = Lane(2, 1, 2, "en", 1)
LEGS = (Leg(0, 1, "r", "en", None), Leg(1, 1, "r", "pt-br", None), Leg(2, 1, "r", "es", None))
ROSTER = Roster(LEGS, (INTO_PT, INTO_EN, INTO_EN_FROM_ES))


def missing(**stages: tuple[State, list[int]]) -> list[str]:
    """For the three lanes; a stage that is not named is up, with all its engines."""
    vitals = {stage: Vitals([0] * WORDS) for stage in ("asr", "mt", "tts")}
    for stage, row in vitals.items():
        row.state, states = stages.get(stage, (State.UP, []))
        row.set("breakers", breaker_word(states))
    interpreters = Interpreters(vitals, ENGINES)
    interpreters.follow(ROSTER)
    interpreters.look()
    return [interpreters.missing(lane) for lane in ROSTER.lanes]


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ({}, ["", "", ""]),
        ({"tts": (State.WAITING, [])}, ["tts is away"] * 3),
        ({"mt": (State.CIRCUIT_OPEN, [])}, ["mt is away"] * 3),
        ({"asr": (State.STUCK, [])}, ["asr is away"] * 3),
        ({"asr": (State.LATE, [])}, ["", "", ""]),
        ({"mt": (State.STOPPED, [])}, ["", "", ""]),  # this box has none
        ({"mt": (State.UP, [2, 0])}, ["", "", "no engine of mt answers"]),  # Bergamot knows no Spanish
        ({"mt": (State.UP, [2, 2])}, ["no engine of mt answers"] * 3),
        ({"mt": (State.UP, [1, 1])}, ["no engine of mt answers"] * 3),  # tried, and not known to be back
        ({"tts": (State.UP, [0, 0, 2])}, ["no engine of tts answers", "", ""]),
        ({"tts": (State.UP, [2, 0, 0])}, ["", "", ""]),
        ({"tts": (State.UP, [2, 2, 0])}, ["", "no engine of tts answers", "no engine of tts answers"]),
        ({"asr": (State.UP, [0, 2, 2])}, ["", "no engine of asr answers", "no engine of asr answers"]),
        ({"asr": (State.UP, [2, 0, 0])}, ["no engine of asr answers", "", ""]),
    ],
)
def test_a_lane_lacks_what_nobody_can_do_for_it(stages, expected):
    assert missing(**stages) == expected


def test_a_change_is_seen_at_the_next_look():
    vitals = {stage: Vitals([0] * WORDS) for stage in ("asr", "mt", "tts")}
    interpreters = Interpreters(vitals, ENGINES)
    interpreters.follow(ROSTER)
    interpreters.look()
    vitals["tts"].state = State.WAITING
    assert interpreters.missing(INTO_PT) == ""
    interpreters.look()
    assert interpreters.missing(INTO_PT) == "tts is away"
