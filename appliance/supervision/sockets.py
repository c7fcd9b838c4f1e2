"""Opens the sockets that outlive the processes using them: the watchdog keeps them for the next one."""

import errno
import socket

from appliance.config import MediaConfig

# Asterisk sends 50 packets/s for each leg, here 692 bytes each: this holds a second of 100 legs while rtp restarts.
RECEIVE_BUFFER_BYTES = 8 << 20
SO_RCVBUFFORCE = 33  # socket(7); Python has no name for it


class SocketError(Exception):
    """A socket cannot be opened; the message is one sentence for a technician."""


def open_media_socket(config: MediaConfig) -> socket.socket:
    """The UDP socket of all media, not blocking. Raises SocketError."""
    media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    _enlarge(media)
    try:
        media.bind((config.host, config.port))
    except OSError as error:
        media.close()
        raise SocketError(_refusal(config, error)) from None
    return media


def _enlarge(media: socket.socket) -> None:
    try:
        media.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
    except PermissionError:  # without CAP_NET_ADMIN the kernel cuts it to net.core.rmem_max
        media.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)


def _refusal(config: MediaConfig, error: OSError) -> str:
    place = f"cannot start: UDP {config.host}:{config.port} (media.host, media.port)"
    if error.errno == errno.EADDRINUSE:
        return f"{place} is used by another program; stop that one or choose another media.port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{place} is not an address of this machine; correct media.host"
    return f"{place} cannot be opened: {error.strerror}"
