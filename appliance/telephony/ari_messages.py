"""What ARI says: the parts of its channels, bridges and events that we use. Everything else is ignored."""

import msgspec

LOCAL_ADDRESS = "UNICASTRTP_LOCAL_ADDRESS"
LOCAL_PORT = "UNICASTRTP_LOCAL_PORT"


class Party(msgspec.Struct, frozen=True):
    """The person at one end, as far as the network says."""

    name: str = ""
    number: str = ""


class DialplanPosition(msgspec.Struct, frozen=True):
    """Where a channel is in the dialplan."""

    context: str = ""
    exten: str = ""
    app_name: str = ""
    app_data: str = ""


class Channel(msgspec.Struct, frozen=True):
    """A channel. `channelvars` are the variables that ari.conf lists."""

    id: str
    state: str = ""  # Down, Ring, Ringing, Up …
    name: str = ""
    caller: Party = Party()
    dialplan: DialplanPosition = DialplanPosition()
    channelvars: dict[str, str] = {}


class Bridge(msgspec.Struct, frozen=True):
    """A bridge; `name` is the application's for those that we make."""

    id: str
    name: str = ""
    channels: tuple[str, ...] = ()


class Endpoint(msgspec.Struct, frozen=True):
    """Whom calls can be made to: "online" where at least one of its contacts answers."""

    state: str = "unknown"


class Playback(msgspec.Struct, frozen=True):
    """Something that is played on a channel."""

    id: str


class LiveRecording(msgspec.Struct, frozen=True):
    """Something that is recorded from a channel."""

    name: str


class StoredRecording(msgspec.Struct, frozen=True):
    """A file of Asterisk's."""

    name: str


class Event(msgspec.Struct, frozen=True):
    """Any event; what does not belong to its type keeps its default."""

    type: str
    channel: Channel | None = None
    args: tuple[str, ...] = ()  # StasisStart
    cause: int = 0  # ChannelDestroyed: Q.850
    digit: str = ""  # ChannelDtmfReceived
    playback: Playback | None = None  # Playback…
    recording: LiveRecording | None = None  # Recording…
