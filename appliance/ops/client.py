"""Asks a running `ops` process for health events, for `dragoman events`."""

import http.client
from collections.abc import Iterator
from urllib.parse import urlencode

import msgspec

from appliance.config import OpsConfig
from appliance.ops.errors import OpsError
from appliance.ops.history import Event
from appliance.ops.listener import HERE
from appliance.tls.names import is_here

PATIENCE_S = 5.0
QUIET_S = 60.0  # longer than a stream is ever silent


class Client:
    """The `ops` process that `config` leads to."""

    def __init__(self, config: OpsConfig) -> None:
        self._host = config.host if is_here(config.host) else HERE
        self._port = config.port

    def events(self, limit: int) -> list[Event]:
        """The last `limit` health events, oldest first. Raises OpsError."""
        try:
            with self._ask("/events", PATIENCE_S, limit=limit) as answer:
                return msgspec.json.decode(answer.read(), type=list[Event])
        except (OSError, http.client.HTTPException, msgspec.MsgspecError) as error:
            raise self._unreachable(error) from None

    def follow(self, after: int) -> Iterator[Event]:
        """Each health event after number `after`, as it comes. Raises OpsError when the stream ends."""
        try:
            with self._ask("/events/stream", QUIET_S, after=after) as answer:
                for line in answer:
                    if line.startswith(b"data: "):
                        yield msgspec.json.decode(line.removeprefix(b"data: "), type=Event)
        except (OSError, http.client.HTTPException, msgspec.MsgspecError) as error:
            raise self._unreachable(error) from None
        raise self._unreachable(ConnectionResetError("it has ended the stream"))

    def _ask(self, path: str, patience_s: float, **query: int) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=patience_s)
        connection.request("GET", f"{path}?{urlencode(query)}", headers={"connection": "close"})
        answer = connection.getresponse()
        if answer.status != http.HTTPStatus.OK:
            answer.close()
            raise http.client.HTTPException(f"status {answer.status}")
        return answer

    def _unreachable(self, error: Exception) -> OpsError:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
        return OpsError(
            f"no events from {self._host}:{self._port} (ops.host, ops.port): {reason}; "
            "is the appliance running? see: dragoman status"
        )
