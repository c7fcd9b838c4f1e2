"""How many threads XTTS takes of a machine that others work on, too."""

import pytest

from appliance.xtts.team import team_size


@pytest.mark.parametrize(
    ("wanted", "processors", "threads"),
    [
        (2, 1, 1),
        (2, 2, 1),  # the others have one left, at least
        (2, 4, 2),
        (8, 4, 2),
        (2, 64, 2),
        (1, 64, 1),
    ],
)
def test_the_others_who_carry_a_call_have_processors_of_their_own(wanted: int, processors: int, threads: int) -> None:
    assert team_size(wanted, processors) == threads
