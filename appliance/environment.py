"""What the service manager says in the environment of a process, and what workers find in theirs."""

import os

SERVICE_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


def notify_socket() -> str:
    """Where the service manager listens (sd_notify(3)); empty when there is none."""
    return os.environ.get("NOTIFY_SOCKET", "")


def service_watchdog_us() -> int:
    """How often the service manager wants a sign of life, in µs (sd_watchdog_enabled(3)); 0: it wants none of us."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0
    wanted = os.environ.get("WATCHDOG_USEC", "")
    return int(wanted) if wanted.isascii() and wanted.isdigit() else 0


def calm_matrices() -> None:
    """Let numpy's library for matrices use one thread, as in workers. Works only before numpy is imported.

    On two cores that others use, too, the voices' encoder is four times as fast so.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def worker_environment() -> dict[str, str]:
    """The environment that a worker is started with."""
    # Numpy's library for matrices keeps a core busy for some 50 ms after each product, waiting for the next; with one
    # thread it does not, and a decode takes half as much processor time. Engines have threads of their own.
    # The service manager is told by the watchdog, and by nobody in its name.
    kept = {name: value for name, value in os.environ.items() if name not in SERVICE_VARIABLES}
    # Every thread would take a piece of the heap for itself and keep what it once took, and engines have many threads.
    # With two pieces for all of them, a decode takes some 5 % longer, and a synthesis no longer than before.
    # The recognizer's library for matrices keeps what it has prepared for the last 1024 sizes of matrices that it met,
    # 0.2 MB each, and meets new ones for hours. With 64, a decode takes no longer.
    bounds = {"MALLOC_ARENA_MAX": "2", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64"}
    return bounds | kept | {"OPENBLAS_NUM_THREADS": "1"}
