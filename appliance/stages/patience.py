"""An engine's calls in a thread of their own, so that whoever waits for the answer can stop waiting."""

from collections.abc import Callable, Iterator
from queue import SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

from appliance.stages.mishaps import as_engine_error

Piece = TypeVar("Piece")


class _End:
    """After the last piece; `error` is what broke the call off."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Call(Generic[Piece]):
    """What `work` yields, made in a thread of its own. `wake` is called, in that thread, when there is more."""

    def __init__(self, work: Callable[[], Iterator[Piece]], name: str, wake: Callable[[], None] = lambda: None) -> None:
        self._pieces: SimpleQueue[Piece | _End] = SimpleQueue()
        self._thread = Thread(target=_run, args=(work, name, self._pieces, wake), name=name, daemon=True)
        self._thread.start()

    @property
    def goes_on(self) -> bool:
        """Whether the engine is in it."""
        return self._thread.is_alive()

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
    work: Callable[[], Iterator[Piece]], name: str, pieces: "SimpleQueue[Piece | _End]", wake: Callable[[], None]
) -> None:
    try:
        for piece in work():
            pieces.put(piece)
    except Exception as error:
        pieces.put(_End(as_engine_error(name, error)))
    except BaseException as error:  # it belongs to whoever waits
        pieces.put(_End(error))
    else:
        pieces.put(_End(None))
    wake()
