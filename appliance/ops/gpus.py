"""What the GPUs of this machine do, asked of NVIDIA's driver (NVML); there are none where there is no driver."""

import ctypes
from dataclasses import dataclass

LIBRARY = "libnvidia-ml.so.1"  # comes with the driver
SUCCESS = 0  # nvmlReturn_t
PERCENT = 100


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU; `busy_ratio`: of the time since the driver last looked, from 0 to 1."""

    number: int
    memory_bytes: int
    used_bytes: int
    busy_ratio: float


class _Memory(ctypes.Structure):
    """nvmlMemory_t."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class _Utilization(ctypes.Structure):
    """nvmlUtilization_t, in percent."""

    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class Gpus:
    """The driver's library, opened once; `library` is its name or path."""

    def __init__(self, library: str = LIBRARY) -> None:
        self._nvml: ctypes.CDLL | None = None
        try:
            nvml = ctypes.CDLL(library)
            if nvml.nvmlInit_v2() == SUCCESS:
                self._nvml = nvml
        except (OSError, AttributeError):  # no driver, or one too old
            return

    def look(self) -> list[Gpu]:
        """Those that answer."""
        if self._nvml is None:
            return []
        count = ctypes.c_uint()
        if self._nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) != SUCCESS:
            return []
        return [gpu for number in range(count.value) if (gpu := self._gpu(self._nvml, number))]

    def _gpu(self, nvml: ctypes.CDLL, number: int) -> Gpu | None:
        device, memory, utilization = ctypes.c_void_p(), _Memory(), _Utilization()
        if nvml.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(number), ctypes.byref(device)) != SUCCESS:
            return None
        if nvml.nvmlDeviceGetMemoryInfo(device, ctypes.byref(memory)) != SUCCESS:
            return None
        if nvml.nvmlDeviceGetUtilizationRates(device, ctypes.byref(utilization)) != SUCCESS:
            utilization.gpu = 0  # a GPU that is shared out (MIG) does not say
        return Gpu(number, memory.total, memory.used, utilization.gpu / PERCENT)
