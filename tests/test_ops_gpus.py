"""Figures of GPUs, through a library with the functions of NVIDIA's driver as nvml.h declares them."""

import subprocess
from pathlib import Path

import pytest

from appliance.ops.gpus import Gpu, Gpus

DRIVER = """
#include <stddef.h>
typedef struct { unsigned long long total, free, used; } nvmlMemory_t;
typedef struct { unsigned int gpu, memory; } nvmlUtilization_t;
typedef struct nvmlDevice_st { int number; } *nvmlDevice_t;
static struct nvmlDevice_st devices[3] = {{0}, {1}, {2}};
int nvmlInit_v2(void) { return INIT; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = 3; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device) {
    *device = &devices[index];
    return index == 2 ? 15 : 0; /* NVML_ERROR_GPU_IS_LOST */
}
int nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory) {
    *memory = (nvmlMemory_t){150000000000ULL, 149000000000ULL - device->number, 1000000000ULL + device->number};
    return 0;
}
int nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *rates) {
    *rates = (nvmlUtilization_t){37, 12};
    return device->number == 1 ? 3 : 0; /* NVML_ERROR_NOT_SUPPORTED, as with MIG */
}
"""


def driver(folder: Path, init: int = 0) -> str:
    source, library = folder / "driver.c", folder / f"driver{init}.so"
    source.write_text(DRIVER)
    subprocess.run(["gcc", "-shared", "-fPIC", f"-DINIT={init}", "-o", library, source], check=True)
    return str(library)


def test_each_gpu_that_answers_has_its_figures(tmp_path: Path) -> None:
    assert Gpus(driver(tmp_path)).look() == [
        Gpu(0, 150_000_000_000, 1_000_000_000, 0.37),
        Gpu(1, 150_000_000_000, 1_000_000_001, 0.0),
    ]


@pytest.mark.parametrize("library", ["libthere-is-none.so.1", "libc.so.6"])
def test_without_a_driver_there_are_none(library: str) -> None:
    assert Gpus(library).look() == []


def test_a_driver_that_does_not_work_has_none(tmp_path: Path) -> None:
    assert Gpus(driver(tmp_path, init=9)).look() == []  # NVML_ERROR_DRIVER_NOT_LOADED
