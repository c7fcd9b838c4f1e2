"""The roster: the legs, lanes and booths in use right now. `calls` writes it, everyone reads it, nobody waits."""

import msgspec


class Address(msgspec.Struct, frozen=True):
    """An IPv4 address and UDP port."""

    host: str
    port: int


class Leg(msgspec.Struct, frozen=True):
    """One person's side of a call. `place` is the index of its uplink ring; `call` counts the uses of that place."""

    place: int
    call: int
    room: str
    language: str
    ear: Address | None  # where Asterisk sends this leg's speech from; None until the ear is there
    route: str = ""  # the number that was dialled
    found: str = ""  # what it speaks, where `language` is "auto" and that is known
    index: int = 0  # 0: the caller's side, 1: the callee's
    phone: str = ""  # the person's phone number, as far as the network says
    speaker: str = ""  # id of the voice on file that it speaks with in other languages; empty: a stock voice
    chosen_by: str = ""  # what `speaker` was found by: "route", "number" or "voice"; empty: nobody knows
    manner: int = 0  # in which of the voice's manners it speaks just now

    @property
    def is_unknown(self) -> bool:
        """Whether nobody knows yet what it speaks: it is heard as it is, and its translation waits."""
        return self.language == "auto" and not self.found


class Booth(msgspec.Struct, frozen=True):
    """One language spoken into one room; `address` is where Asterisk listens for it."""

    place: int
    room: str
    language: str
    address: Address | None


class Lane(msgspec.Struct, frozen=True):
    """One leg's speech into one language. `place` is the index of its downlink ring."""

    place: int
    call: int  # counts the uses of the place
    leg: int  # place of the speaker's leg
    target_language: str
    booth: int  # place of the booth that speaks it


def call_stamp(call: int) -> int:
    """A call's number as the frames of a downlink carry it, in their `timestamp`: 32 bits of it."""
    return call & 0xFFFFFFFF


class Roster(msgspec.Struct, frozen=True):
    """Everything in use. Places are unique within each tuple."""

    legs: tuple[Leg, ...] = ()
    lanes: tuple[Lane, ...] = ()
    booths: tuple[Booth, ...] = ()


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Roster)


def encode_roster(roster: Roster) -> bytes:
    """The roster as MessagePack."""
    return _encoder.encode(roster)


def decode_roster(blob: bytes) -> Roster:
    """The inverse of `encode_roster`; no bytes are the empty roster. Raises msgspec.DecodeError."""
    return _decoder.decode(blob) if blob else Roster()
