"""An engine's calls in a thread of their own, so that whoever waits for the answer can stop waiting."""

from collections.abc import Callable, Generator, Iterator
from queue import SimpleQueue
from threading import Event, Thread
from typing import Generic, TypeVar

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
