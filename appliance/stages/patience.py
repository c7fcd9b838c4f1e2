"""An engine's calls in a thread of their own, so that whoever waits for the answer can stop waiting."""

from collections.abc import Callable, Generator, Iterator
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Generic, TypeVar

from appliance.engines.protocols import EngineUnavailable
from appliance.stages.mishaps import as_engine_error

Piece = TypeVar("Piece")


class _End:
    """After the last piece; `error` is what broke the call off."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Call(Generic[Piece]):
    """What `work` yields, made in a thread of its own. `wake` is called, in that thread, when there is more.

    A call cannot be broken off: one that is not wanted any more ends at its next piece.
    """

    def __init__(self, work: Callable[[], Iterator[Piece]], name: str, wake: Callable[[], None] = lambda: None) -> None:
        self._pieces: SimpleQueue[Piece | _End] = SimpleQueue()
        self._unwanted = Event()
        arguments = (work, name, self._pieces, wake, self._unwanted)
        self._thread = Thread(target=_run, args=arguments, name=name, daemon=True)
        self._thread.start()

    @property
    def goes_on(self) -> bool:
        """Whether the engine is in it."""
        return self._thread.is_alive()

    def give_up(self) -> None:
        """Nobody waits for the rest."""
        self._unwanted.set()

    def join(self, limit_s: float | None) -> None:
        """Wait for its end."""
        self._thread.join(limit_s)

    def next(self, limit_s: float) -> Piece | _End:
        """The next piece, or the end. Raises Empty after `limit_s`."""
        return self._pieces.get(timeout=limit_s)

    def news(self) -> tuple[list[Piece], bool]:
        """The pieces since the last call, and whether there are no more. Raises EngineError where `work` failed."""
        pieces: list[Piece] = []
        while not self._pieces.empty():
            piece = self._pieces.get()
            if isinstance(piece, _End):
                if piece.error:
                    raise piece.error
                return pieces, True
            pieces.append(piece)
        return pieces, False


class Patience(Generic[Piece]):
    """One engine's calls, one at a time. `name` is for the message about one that is overdue.

    While a call goes on that nobody waits for any more, its engine is not asked.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._call: Call[Piece] | None = None

    def pieces(self, work: Callable[[], Iterator[Piece]], limit_s: float | None) -> Iterator[Piece]:
        """What `work` yields, as it comes; None: wait for as long as it takes.

        Raises EngineError where that goes wrong, and EngineUnavailable after `limit_s` without a piece.
        """
        if self._call:
            self._call.join(None if limit_s is None else 0)
            if self._call.goes_on:
                raise EngineUnavailable(f"{self._name} still has a request that nobody waits for any more")
        if limit_s is None:
            try:
                yield from work()
            except Exception as error:
                raise as_engine_error(self._name, error) from error
            return
        self._call = Call(work, self._name)
        while True:
            try:
                piece = self._call.next(limit_s)
            except Empty:
                raise EngineUnavailable(f"{self._name} has not answered within {1000 * limit_s:.0f} ms") from None
            if isinstance(piece, _End):
                self._call = None
                if piece.error:
                    raise piece.error
                return
            yield piece


def _run(
    work: Callable[[], Iterator[Piece]],
    name: str,
    pieces: "SimpleQueue[Piece | _End]",
    wake: Callable[[], None],
    unwanted: Event,
) -> None:
    try:
        made = work()
        for piece in made:
            if unwanted.is_set():
                break
            pieces.put(piece)
            wake()
        if isinstance(made, Generator):
            made.close()  # so that the engine learns that nobody listens
    except Exception as error:
        pieces.put(_End(as_engine_error(name, error)))
    except BaseException as error:  # it belongs to whoever waits
        pieces.put(_End(error))
    else:
        pieces.put(_End(None))
    wake()
