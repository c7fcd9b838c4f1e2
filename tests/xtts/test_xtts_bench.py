"""The benchmark counts what a listener notices, and says what it cannot measure."""

import pytest

from appliance.bench.tts import Heard, Trial, trial_of
from appliance.engines.protocols import EngineError
from appliance.xtts.precision import best_precision


@pytest.mark.parametrize(
    ("pieces", "underruns"),
    [
        (((0.2, 0.5), (0.6, 0.5), (1.1, 0.5)), 0),  # each before the last is heard out
        (((0.2, 0.5), (0.8, 0.5), (1.2, 0.5)), 1),  # silence from 0.7 to 0.8; then heard until 1.3
        (((0.2, 0.5), (0.8, 0.1), (1.5, 0.5)), 2),
    ],
)
def test_an_underrun_is_when_a_listener_hears_nothing(pieces: tuple[tuple[float, float], ...], underruns: int) -> None:
    heard = Heard(pieces)
    assert heard.underruns == underruns
    assert (heard.first_s, heard.end_s) == (pieces[0][0], pieces[-1][0])


def test_the_options_of_the_command() -> None:
    assert trial_of("cpu", "auto", "4,1,4", 3, True) == Trial("cpu", best_precision("cpu"), (1, 4), 3, True)
    assert trial_of("cpu", "int8", "2", 1, False).precision == "int8"
    for wrong, sentence in (
        (("cpu", "int4", "1"), "is no precision"),
        (("cpu", "auto", "0"), "says not how many"),
        (("cpu", "auto", "many"), "says not how many"),
        (("cuda:99", "auto", "1"), "no GPU that torch can use|says not"),
    ):
        with pytest.raises(EngineError, match=sentence):
            trial_of(*wrong, 1, True)
