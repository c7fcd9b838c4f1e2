"""Which message is news: a segment or a translation may come a second time when its writer was restarted."""

from typing import Protocol


class Revised(Protocol):
    """One revision of something that grows until it is final."""

    @property
    def seq_num(self) -> int: ...
    @property
    def revision(self) -> int: ...
    @property
    def final(self) -> bool: ...


def is_news(message: Revised, newest: Revised | None) -> bool:
    """Whether `message` says more than `newest`, the last one of its leg or lane.

    A final one is news whatever its revision: a restarted recognizer counts from 0 again.
    """
    if newest is None or message.seq_num > newest.seq_num:
        return True
    if message.seq_num < newest.seq_num or newest.final:
        return False
    return message.final or message.revision > newest.revision
