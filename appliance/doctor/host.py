"""The machine: processor, memory, clocks, permissions, limits, packages."""

import ctypes
import os
import re
import resource
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import psutil

from appliance.doctor.findings import Finding, advice, fault, ok
from appliance.wire.pulse import REALTIME_PRIORITY

GOOD_CLOCKS = ("tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page")
CLOCK_SOURCE = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
TIMEX_BYTES = 256  # struct timex has 208
LEAST_CPUS = 2
LEAST_MEMORY_BYTES = 2 << 30  # the embedded engines take about 1.2 GB
LEAST_FILES = 1024


def examine() -> Iterator[Finding]:
    """Everything that does not depend on the configuration."""
    yield _cpus()
    yield _memory()
    yield _clock_source()
    yield _wall_clock()
    yield _real_time()
    yield _files()
    yield from _packages()


def _cpus() -> Finding:
    count = len(os.sched_getaffinity(0))
    if count < LEAST_CPUS:
        return advice("processors", f"{count}", f"give it {LEAST_CPUS}: recognition and speech work at the same time")
    return ok("processors", f"{count}")


def _memory() -> Finding:
    free = psutil.virtual_memory().available
    if free < LEAST_MEMORY_BYTES:
        return advice("memory", f"{free >> 20} MB available", f"free {LEAST_MEMORY_BYTES >> 20} MB for the engines")
    return ok("memory", f"{free >> 20} MB available")


def _clock_source() -> Finding:
    try:
        source = CLOCK_SOURCE.read_text().strip()
    except OSError:
        return advice("clock source", "unknown: the kernel does not say", "nothing, if calls sound right")
    if source not in GOOD_CLOCKS:
        return advice(
            "clock source", f"{source}: reading the time is slow", "boot with clocksource=tsc if it is stable"
        )
    return ok("clock source", source)


def _wall_clock() -> Finding:
    """Only read, with modes = 0. The appliance itself measures with CLOCK_MONOTONIC; the log's times need this."""
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
    if state == TIME_ERROR:
        return advice("wall clock", "not synchronised: the times in the log may be wrong", "set up NTP (chrony)")
    return ok("wall clock", "synchronised") if state >= 0 else ok("wall clock", "cannot be asked in this container")


def _real_time() -> Finding:
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(REALTIME_PRIORITY))
    except PermissionError:
        fix = f"LimitRTPRIO={REALTIME_PRIORITY} in the service's unit, or CAP_SYS_NICE"
        return advice("real-time permission", "none: audio may stutter while the machine is busy", fix)
    os.sched_setscheduler(0, *before)
    return ok("real-time permission", "granted")


def _files() -> Finding:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit < LEAST_FILES:
        return fault("open files", f"limited to {limit}", f"LimitNOFILE={LEAST_FILES} in the unit, or ulimit -n")
    return ok("open files", f"up to {limit}")


def _packages() -> Iterator[Finding]:
    yield ok("Python", sys.version.split()[0])
    try:
        needs = metadata.requires("dragoman") or []
    except metadata.PackageNotFoundError:
        yield fault("packages", "dragoman itself is not installed", "make setup")
        return
    versions = []
    for name in (re.split(r"[^A-Za-z0-9._-]", need)[0] for need in needs):
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            yield fault("packages", f"{name} is missing", "make setup")
    yield ok("packages", ", ".join(versions))
