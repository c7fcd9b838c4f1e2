"""An engine's calls in a thread of their own, so that whoever waits for the answer can stop waiting."""

from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

from appliance.engines.protocols import EngineUnavailable

Piece = TypeVar("Piece")


class _End:
    """After the last piece; `error` is what broke the call off."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Patience(Generic[Piece]):
    """One engine's calls, one at a time. `name` is for the message about one that is overdue.

    A call cannot be broken off: one that nobody waits for any more goes on, and its engine is not asked meanwhile.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._call: Thread | None = None

    def pieces(self, work: Callable[[], Iterator[Piece]], limit_s: float | None) -> Iterator[Piece]:
        """What `work` yields, as it comes; None: wait for as long as it takes.

        Raises what it raises, and EngineUnavailable after `limit_s` without a piece.
        """
        if self._call:
            self._call.join(None if limit_s is None else 0)
            if self._call.is_alive():
                raise EngineUnavailable(f"{self._name} still has a request that nobody waits for any more")
        if limit_s is None:
            yield from work()
            return
        pieces: SimpleQueue[Piece | _End] = SimpleQueue()
        self._call = Thread(target=_run, args=(work, pieces), name=self._name, daemon=True)
        self._call.start()
        while True:
            try:
                piece = pieces.get(timeout=limit_s)
            except Empty:
                raise EngineUnavailable(f"{self._name} has not answered within {1000 * limit_s:.0f} ms") from None
            if isinstance(piece, _End):
                self._call = None
                if piece.error:
                    raise piece.error
                return
            yield piece


def _run(work: Callable[[], Iterator[Piece]], pieces: "SimpleQueue[Piece | _End]") -> None:
    try:
        for piece in work():
            pieces.put(piece)
    except BaseException as error:  # it belongs to whoever waits
        pieces.put(_End(error))
    else:
        pieces.put(_End(None))
