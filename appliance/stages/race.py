"""Engines that are asked side by side: the first answer counts, and those that come later are not forgotten."""

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from threading import Thread
from typing import Generic, TypeVar

from appliance import clock
from appliance.engines.protocols import EngineError, EngineUnavailable
from appliance.stages.mishaps import as_engine_error
from appliance.units import NS_PER_S

Answer = TypeVar("Answer")


@dataclass(slots=True)
class _Run(Generic[Answer]):
    """One engine's call."""

    future: Future[Answer]
    began_ns: int
    is_overdue: bool = False


class Race(Generic[Answer]):
    """One call of each engine at a time. None can be broken off: its engine is not asked before it has ended."""

    def __init__(self) -> None:
        self._runs: dict[str, _Run[Answer]] = {}

    @property
    def running(self) -> Collection[str]:
        """The engines that are in a call."""
        return self._runs.keys()

    def begin(self, name: str, work: Callable[[], Answer], here: bool) -> None:
        """Ask engine `name`, in this thread (`here`: returns when it has answered) or in one of its own."""
        future: Future[Answer] = Future()
        self._runs[name] = _Run(future, clock.now_ns())
        if here:
            _run(future, name, work)
        else:
            Thread(target=_run, args=(future, name, work), name=name, daemon=True).start()

    def first(self, names: Sequence[str], limit_s: float | None) -> str | None:
        """Who of `names` has ended its call, the first of them if several; None: nobody within `limit_s`."""
        futures = [self._runs[name].future for name in names]
        done, _ = wait(futures, limit_s, FIRST_COMPLETED)
        return next((name for name, future in zip(names, futures, strict=True) if future in done), None)

    def answer(self, name: str) -> Answer:
        """What the call of `name` has come to. Raises EngineError."""
        return self._runs.pop(name).future.result()

    def settled(self, patience_s: float) -> Iterator[tuple[str, EngineError | None]]:
        """What has become of calls that nobody waits for: an answer within `patience_s` (None), or a failure, once."""
        for name, run in list(self._runs.items()):
            if run.future.done():
                del self._runs[name]
                if not run.is_overdue:
                    yield name, _failure(run.future)
            elif not run.is_overdue and clock.now_ns() - run.began_ns > patience_s * NS_PER_S:
                run.is_overdue = True
                yield name, EngineUnavailable(f"{name} has not answered within {1000 * patience_s:.0f} ms")


def _run(future: Future[Answer], name: str, work: Callable[[], Answer]) -> None:
    try:
        future.set_result(work())
    except Exception as error:
        future.set_exception(as_engine_error(name, error))
    except BaseException as error:  # it belongs to whoever waits
        future.set_exception(error)


def _failure(future: Future[Answer]) -> EngineError | None:
    error = future.exception()
    if error is not None and not isinstance(error, EngineError):
        raise error
    return error
