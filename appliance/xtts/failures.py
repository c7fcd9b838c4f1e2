"""What an error of torch means: a request too many, a device that is lost, or a mistake."""

from enum import Enum

import torch

EXIT_DEVICE_LOST = 75  # EX_TEMPFAIL of sysexits.h: a new process makes a new context, and may work
# A CUDA context does not survive these; every later call fails as well (CUDA C++ Programming Guide, "Error Checking").
_LOST = ("cuda error", "cublas_status", "cudnn_status", "device-side assert", "illegal memory access", "nvml")


class Failure(Enum):
    """What has to go: the newest request, the process, or what was being spoken."""

    OUT_OF_MEMORY = "out of memory"
    DEVICE_LOST = "device lost"
    OTHER = "other"


def failure_of(error: BaseException) -> Failure:
    """Which of them `error` is."""
    text = str(error).lower()
    # Memory first: torch tells of it as a CUDA error at times.
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "out of memory" in text or "can't allocate" in text:
        return Failure.OUT_OF_MEMORY
    is_of_torch = isinstance(error, (torch.AcceleratorError, RuntimeError))
    return Failure.DEVICE_LOST if is_of_torch and any(sign in text for sign in _LOST) else Failure.OTHER
