"""Work that must not slow down the thread that speaks: computed in a thread of its own, which ends with it.

OpenMP keeps a team of workers for every thread that has ever computed. As soon as there are more of them than
processors, each wait within a computation, of which a token takes hundreds, becomes a sleep in the kernel: a token of
the published size took 76 ms then, and 61 without, on two cores.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def apart(work: Callable[[], Result]) -> Result:
    """What `work` returns, or raises."""
    with ThreadPoolExecutor(1, thread_name_prefix="xtts-apart") as once:
        return once.submit(work).result()
