"""How many threads of a CPU compute: so few that the others who carry a call have processors of their own."""

OTHERS = 2  # processors that recognition and media keep busy


def team_size(wanted: int, processors: int) -> int:
    """Of the `wanted` threads as many as are worth while, at least one.

    Each of a hundred products waits for the last thread of the team, and a thread that slept gets no processor at once
    where other programs want them (Linux 6.18): on two cores, beside other tests, 1 s of sound took two threads 0.8 to
    1.7 s, and one thread 0.15 s. With little else running it was 85 and 107 ms, and a token of the published size 65
    and 77 ms. In whole calls beside other programs neither has been proven to be better.
    """
    return max(1, min(wanted, processors - OTHERS))
