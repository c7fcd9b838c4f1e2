"""What a soak makes of what it has seen."""

import numpy as np
import pytest

from appliance.bench.soak import MB, Course, lags, report, rise, slope
from appliance.frames.messages import FirstAudio, HealthEvent

MINUTES = 30
LENGTH_S = MINUTES * 60.0


def course(growth_mb_h: float = 0.0, slope_ms_min: float = 0.0, **seen: int) -> Course:
    """Both are as wild in the warm-up as they like."""
    times = np.arange(0, LENGTH_S, 5.0)
    rss = [int(300 * MB + growth_mb_h * MB * at / 3600 + (at < LENGTH_S / 3) * at * MB) for at in times]
    memory = {"tts": list(zip(times, rss, strict=True))}
    lag = [(at, 900 + slope_ms_min * at / 60 + (at < LENGTH_S / 3) * at) for at in times]
    return Course(memory, lag, **{"calls": 8, **seen})


def missed(seen: Course) -> list[str]:
    return [target.name for target in report(seen, LENGTH_S).targets if not target.holds]


def test_what_is_flat_after_the_warm_up_passes() -> None:
    result = report(course(growth_mb_h=0.9, slope_ms_min=-3.0), LENGTH_S)
    assert result.exit_status == 0
    figures = {(one.subject, one.name): one.value for one in result.measurements}
    assert figures["tts", "growth"] == pytest.approx(0.9, abs=0.01)
    assert figures["tts", "RSS"] == pytest.approx(300, rel=0.01)
    assert figures["tts", "rise"] == pytest.approx(0.9 / 3 * 0.9, abs=0.01)
    assert figures["conversations", "lag slope"] == pytest.approx(-3.0)


@pytest.mark.parametrize(
    ("seen", "names"),
    [
        (course(growth_mb_h=1.1), ["tts: growth of RSS"]),
        (course(slope_ms_min=101.0), ["lag slope"]),
        (course(lost=1), ["calls lost"]),
        (course(restarts=1), ["restarts of processes"]),
        (Course(course().memory, []), ["clauses heard"]),
    ],
)
def test_what_is_not_is_missed(seen: Course, names: list[str]) -> None:
    assert missed(seen) == names
    assert report(seen, LENGTH_S).exit_status == 3


def test_one_jump_is_no_slope_and_a_steady_rise_is() -> None:
    jump = [(float(at), 100.0 if at < 50 else 107.0) for at in range(200)]
    assert slope(jump) == 0.0
    assert rise(jump) == 7.0, "but it is told"
    assert slope([(float(at), 3.0 * at) for at in range(50)]) == pytest.approx(3.0)
    assert slope([]) == slope([(1.0, 2.0)]) == rise([]) == 0.0


def test_the_lag_is_that_of_each_first_sound() -> None:
    entries = [FirstAudio(0, 5, 0, 12_500_000_000, 900_000_000), HealthEvent("mt", "up", "ready", 1)]
    assert lags(entries, 10_000_000_000) == [(2.5, 900.0)]
