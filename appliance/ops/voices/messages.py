"""What goes over the REST part about voices, in and out; the OpenAPI description is made of these."""

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(min_length=1, max_length=200)]
# Described, but not checked here: whoever reads it says in a sentence what is wrong (voices.profile.dialled).
Number = Annotated[str, Meta(extra_json_schema={"pattern": r"^\+?([ \-./()]*[0-9]){1,20}[ \-./()]*$"})]


class Problem(msgspec.Struct, frozen=True):
    """Why a request was refused: one sentence."""

    error: str


class FirstVisit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The secret that `dragoman up` has printed, and the password to be."""

    secret: Annotated[str, Meta(max_length=100)]
    password: Annotated[str, Meta(max_length=1000)]


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The administrator's password."""

    password: Annotated[str, Meta(max_length=1000)]


class Visit(msgspec.Struct, frozen=True):
    """Whether somebody is logged in; "new": nobody has set a password yet. `csrf` goes into the header x-csrf-token."""

    state: Literal["new", "out", "in"]
    csrf: str = ""


class Token(msgspec.Struct, frozen=True):
    """For the header "authorization: Bearer TOKEN"; it is told only once."""

    token: str


class Rename(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another name."""

    name: Name


class Figures(msgspec.Struct, frozen=True):
    """What was measured of a recording."""

    speech_s: float
    snr_db: float
    clipped_share: float
    bandwidth_hz: float


class Uploaded(msgspec.Struct, frozen=True):
    """A recording that was taken in, and what could be better about it. It is gone after an hour."""

    id: str
    name: str
    figures: Figures
    advice: list[str]


class Enrolment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A voice to be made of recordings that were uploaded."""

    name: Name
    consent_by: Name
    recordings: Annotated[list[str], Meta(min_length=1, max_length=100)]
    consent_until: date | None = None  # the last day
    phone_numbers: Annotated[list[Number], Meta(max_length=16)] = []


class Invite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who shall enrol by telephone. `language`, of the prompts; empty: the box's own.

    `replace`: the voice of the same name, and without phone numbers take over that one's.
    """

    name: Name
    language: Annotated[str, Meta(max_length=35)] = ""
    phone_numbers: Annotated[list[Number], Meta(max_length=16)] = []
    consent_until: date | None = None  # the last day
    replace: bool = False


class Invited(msgspec.Struct, frozen=True):
    """Who may enrol by telephone, until `ends_at`. `replaces`: the id of the voice that the new one replaces."""

    id: str
    name: str
    language: str
    ends_at: datetime
    phone_numbers: tuple[str, ...]
    consent_until: date | None
    replaces: str


class Code(Invited, frozen=True):
    """What the invited person keys in after dialling `number`. It is told only now; no number: none is configured."""

    code: str
    number: str


class Invitations(msgspec.Struct, frozen=True):
    """Who is invited, the number to dial, empty where there is none, and the languages that there are prompts in."""

    invitations: list[Invited]
    number: str
    languages: tuple[str, ...]


class Sentence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a voice is to say; empty: a greeting, in the box's first language."""

    text: Annotated[str, Meta(max_length=200)] = ""
    language: Annotated[str, Meta(max_length=35)] = ""


class Progress(msgspec.Struct, frozen=True):
    """How far an enrolment is. `sentences`: why it was refused, or what could be better; `speaker_id`: when done."""

    id: str
    state: Literal["working", "done", "refused"]
    what: str = ""
    share: float = 0.0
    sentences: list[str] = []
    speaker_id: str = ""


# Between `ops` and the process that does the work: appliance/commands/voice_worker.py


class Job(msgspec.Struct, frozen=True):
    """What to do: enrol `enrolment`, say `sentence`, or only measure where there is neither. Paths as texts."""

    files: list[tuple[int, str]]  # descriptors that the process was started with, and what to call them
    folder: str
    key_file: str
    cache_dir: str
    enrolment: Enrolment | None = None
    config: str = ""  # the whole configuration, as TOML: which engines there are
    speaker_id: str = ""  # whose voice is to say `sentence`, into the first of `files`
    sentence: Sentence | None = None


class News(msgspec.Struct, frozen=True):
    """How far it is, and at the end what came of it."""

    what: str = ""
    share: float = 0.0
    ended: bool = False
    refused: bool = False
    sentences: list[str] = []
    speaker_id: str = ""
    figures: Figures | None = None
    is_own: bool = False  # what was said is said in the speaker's own voice
