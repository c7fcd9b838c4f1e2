"""What is given up when a lane falls further and further behind: the oldest that has not begun."""

EPISODE_NS = 30_000_000_000  # so long after the last loss, the next one is news again


def gives_up(waited_ms: float, is_giving_up: bool, most_ms: float) -> bool:
    """Whether what has waited for `waited_ms` is not said any more.

    It begins when `most_ms` are over and ends at half of that: one long gap harms a conversation less than many.
    """
    return waited_ms > (most_ms / 2 if is_giving_up else most_ms)


def is_news(now_ns: int, last_loss_ns: int) -> bool:
    """Whether a loss begins an episode; `last_loss_ns` 0: there has been none."""
    return not last_loss_ns or now_ns - last_loss_ns > EPISODE_NS
