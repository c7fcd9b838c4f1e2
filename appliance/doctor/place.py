"""What this configuration needs of the machine: shared memory, the media port, passwords that were changed."""

import socket
from collections.abc import Iterator

from appliance.config import Config
from appliance.doctor.findings import Finding, advice, fault, ok
from appliance.explanation import explain
from appliance.frames.memory import Memory, MemoryRefused, free_shm_bytes
from appliance.supervision.sockets import RECEIVE_BUFFER_BYTES, SocketError, open_media_socket

EXAMPLE_PASSWORD = "change-me"


def examine(config: Config) -> Iterator[Finding]:
    """The configuration itself, and whether this machine has room for it."""
    explanation = explain(config)
    for problem in explanation.problems:
        yield fault("configuration", problem, "correct it, then: dragoman config check")
    if not explanation.problems:
        yield ok("configuration", f"{len(config.routes)} routes, {config.max_legs} legs, {config.max_lanes} lanes")
    yield from _passwords(config)
    if _runs(config.instance):
        yield ok("appliance", "is running: its shared memory and media port are its own")
        return
    yield _shared_memory(explanation.memory_bytes)
    yield _media_port(config)


def _passwords(config: Config) -> Iterator[Finding]:
    for phone in config.phones:
        if phone.password.startswith(EXAMPLE_PASSWORD):
            fix = "write a password of your own: whoever knows the example can make calls"
            yield advice("passwords", f'"{phone.name}" has the one of the example', fix)


def _runs(instance: str) -> bool:
    try:
        Memory.attach(instance).close()
    except MemoryRefused:
        return False
    return True


def _shared_memory(needed: int) -> Finding:
    free = free_shm_bytes()
    found = f"{free / 1e6:.0f} MB free, {needed / 1e6:.0f} MB needed"
    if free < needed:
        fix = f"mount -o remount,size={needed // 1_000_000 + 64}M /dev/shm, or lower max_legs and max_lanes"
        return fault("/dev/shm", found, fix)
    return ok("/dev/shm", found)


def _media_port(config: Config) -> Finding:
    try:
        with open_media_socket(config.media) as media:
            # The kernel doubles what was asked for, for its own bookkeeping: socket(7).
            granted = media.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
    except SocketError as error:
        return fault("media port", str(error), "see there")
    if granted < RECEIVE_BUFFER_BYTES:
        fix = f"sysctl net.core.rmem_max={RECEIVE_BUFFER_BYTES}, or CAP_NET_ADMIN"
        return advice("media port", f"free, but buffers only {granted >> 10} kB while rtp restarts", fix)
    return ok("media port", f"UDP {config.media.host}:{config.media.port} is free")
