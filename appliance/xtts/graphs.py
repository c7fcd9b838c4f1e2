"""CUDA graphs: a step of 30 layers is some 400 kernels, which take longer to launch one by one than to run."""

from collections.abc import Callable, Hashable

import torch


class Recordings:
    """Work that reads and writes static tensors only and never looks at them: recorded once, then replayed as a whole.

    On a CPU there is nothing to record, and the work runs as it is. The recording itself has been written against
    torch's documentation of `torch.cuda.CUDAGraph`; it has not run on a GPU yet.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._graphs: dict[Hashable, torch.cuda.CUDAGraph] = {}

    def run(self, key: Hashable, work: Callable[[], None]) -> None:
        """Do `work`, by its recording if there is one."""
        if key in self._graphs:
            self._graphs[key].replay()
        else:
            work()

    def record(self, key: Hashable, work: Callable[[], None]) -> None:
        """Do `work` once, which must change nothing now, and on CUDA record it for `run`."""
        if self._device.type != "cuda":
            work()
            return
        work()  # libraries allocate on first use, which a recording does not survive
        torch.cuda.synchronize(self._device)
        graph = torch.cuda.CUDAGraph()
        others = next(iter(self._graphs.values()), None)
        with torch.cuda.graph(graph, pool=others.pool() if others else None):  # they never run at the same time
            work()
        self._graphs[key] = graph
