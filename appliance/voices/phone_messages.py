"""What the calls process and the process that works on takes say to each other, over a pipe.

A message is its length, four bytes, and MessagePack. Every request but the first, Begin, is answered by one of the news
of the dialogue.
"""

import struct

import msgspec

from appliance.voices.phone_dialogue import Heard, Invited, Made, NotInvited, NotMade, Take

LENGTH = struct.Struct("<I")
MOST_BYTES = 8 << 20  # a take of 25 s at 16 kHz is 0.8 MB


class Begin(msgspec.Struct, frozen=True, tag=True):
    """Where the voices and the encoder are, and how much speech one needs. Paths as texts."""

    folder: str
    key_file: str
    cache_dir: str
    needed_s: float
    ecapa_folder: str = ""
    gst_folder: str = ""


class FindInvitation(msgspec.Struct, frozen=True, tag=True):
    """Whose code is it?"""

    code: str


class JudgeTake(msgspec.Struct, frozen=True, tag=True):
    """A take as WAV; kept in memory if it is good, the consent also in place of one before."""

    take: Take
    wav: bytes


class MakeVoice(msgspec.Struct, frozen=True, tag=True):
    """Make a voice of what was kept, and put it on file."""


Request = Begin | FindInvitation | JudgeTake | MakeVoice
Answer = Invited | NotInvited | Heard | Made | NotMade

_REQUESTS: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_ANSWERS: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def packed(message: Request | Answer) -> bytes:
    """As it goes over the pipe."""
    content = msgspec.msgpack.encode(message)
    return LENGTH.pack(len(content)) + content


def request(content: bytes) -> Request:
    """What was asked. Raises msgspec.DecodeError."""
    return _REQUESTS.decode(content)


def answer(content: bytes) -> Answer:
    """What was answered. Raises msgspec.DecodeError."""
    return _ANSWERS.decode(content)
