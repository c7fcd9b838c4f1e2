"""How often growing speech is decoded follows what decoding costs."""

import pytest

from appliance.speech.decode_pace import DecodePace


@pytest.mark.parametrize(
    ("story", "spent_ms", "batches", "step_ms"),
    [
        ("nothing is known yet", [], 1, 500),
        ("fast enough", [150], 1, 500),
        ("nobody speaks", [150], 0, 500),
        ("half of the time at most", [400], 1, 800),
        ("many legs", [150], 4, 1200),
        ("a single slow batch changes little", [150] * 9 + [600], 1, 500),
        ("it grows fast again", [600] + [100] * 20, 1, 500),
    ],
)
def test_how_much_new_speech_is_waited_for(story: str, spent_ms: list[float], batches: int, step_ms: float) -> None:
    pace = DecodePace(500)
    for each in spent_ms:
        pace.spent(each)
    assert pace.step_ms(batches) == pytest.approx(step_ms), story
