"""A process that judges what a caller says and makes the voice, so that calls go on: `python -m` this module.

It is there for one enrolment by telephone. What was said is in its memory and nowhere else, so with its end, or that of
the calls process, it is gone. Requests come on standard input, answers go to standard output: phone_messages.py.
"""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from appliance.engines.protocols import EngineError
from appliance.voices import phone_messages, phone_prompts
from appliance.voices.arrays import Floats
from appliance.voices.consent import Consent
from appliance.voices.enrolment import EnrolmentRefused, Wish, enrol
from appliance.voices.errors import VoiceError
from appliance.voices.identity import load_encoder
from appliance.voices.intake import LONGEST_S, Recording, RecordingRefused, decode
from appliance.voices.invitations import Invitation
from appliance.voices.phone_dialogue import Heard, Invited, Made, NotInvited, NotMade, Take
from appliance.voices.phone_messages import (
    LENGTH,
    MOST_BYTES,
    Answer,
    Begin,
    FindInvitation,
    JudgeTake,
    MakeVoice,
    packed,
)
from appliance.voices.phone_takes import judge
from appliance.voices.quality import NARROW_HZ
from appliance.voices.spoken_consent import as_flac
from appliance.voices.store import VoiceStore
from appliance.voices.style import load_style

LESS_URGENT = 10  # nice(2): whoever carries speech comes first


class Enrolment:
    """One enrolment: what was said so far."""

    def __init__(self, begin: Begin) -> None:
        """Raises EngineError when an encoder's weights are missing."""
        self._begin = begin
        self._encoder = load_encoder(Path(begin.cache_dir), begin.ecapa_folder)
        self._styles = load_style(begin.gst_folder)
        self._code = ""
        self._invitation: Invitation | None = None
        self._sentences: list[Recording] = []
        self._partials: list[Floats] = []
        self._speech_s = 0.0
        self._consent: Recording | None = None

    def answer(self, asked: FindInvitation | JudgeTake | MakeVoice) -> Answer:
        """Do what was asked. Raises VoiceError."""
        match asked:
            case FindInvitation(code):
                return self._find(code)
            case JudgeTake(take, wav):
                return self._judge(take, wav)
            case MakeVoice():
                return self._make()

    def _store(self) -> VoiceStore:
        return VoiceStore(Path(self._begin.folder), Path(self._begin.key_file))

    def _find(self, code: str) -> Invited | NotInvited:
        with self._store() as store:
            self._invitation = store.invitations.of(code, datetime.now(UTC))
        self._code = code
        return Invited(self._invitation.language) if self._invitation else NotInvited()

    def _judge(self, take: Take, wav: bytes) -> Heard:
        name = f"sentence {len(self._sentences) + 1}" if take == "sentence" else "the consent"
        try:
            one = _decoded(wav, name)
        except RecordingRefused:  # a line that carried nothing
            return Heard(0.0, "nothing")
        heard, partials = judge(one, self._partials, self._speech_s, self._encoder)
        if partials is None:
            return heard
        if take == "consent":
            self._consent = one
            return heard
        self._sentences.append(one)
        self._partials.append(partials)
        self._speech_s += heard.speech_s
        return heard

    def _make(self) -> Made | NotMade:
        invitation, spoken = self._invitation, self._consent
        if invitation is None or spoken is None:
            raise VoiceError("a voice needs an invitation and a spoken consent")
        now = datetime.now(UTC)
        wording = phone_prompts.wording(invitation.language)
        consent = Consent(invitation.name, now, wording, invitation.consent_ends_at, recording=as_flac(spoken))
        wish = Wish(invitation.name, consent, invitation.phone_numbers, spoken)
        made = enrol(self._sentences, wish, self._encoder, now, needed_s=self._begin.needed_s, styles=self._styles)
        profile = made.profile
        if invitation.replaces:
            profile = msgspec.structs.replace(profile, speaker_id=invitation.replaces)
        with self._store() as store:
            store.put(profile)
            store.invitations.used(self._code)
        narrow = profile.quality is not None and profile.quality.bandwidth_hz < NARROW_HZ
        return Made(profile.speaker_id, narrow, [one.text for one in made.advice])


def main() -> None:
    """Answer until standard input ends."""
    os.nice(LESS_URGENT)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    begin = phone_messages.request(_next(requests))
    assert isinstance(begin, Begin)
    enrolment = Enrolment(begin)
    while content := _next(requests):
        asked = phone_messages.request(content)
        assert not isinstance(asked, Begin)
        answers.write(packed(_answer(enrolment, asked)))
        answers.flush()


def _answer(enrolment: Enrolment, asked: FindInvitation | JudgeTake | MakeVoice) -> Answer:
    try:
        return enrolment.answer(asked)
    except EnrolmentRefused as error:
        return NotMade([one.text for one in error.advice if one.refuses])
    except (VoiceError, EngineError, msgspec.ValidationError) as error:
        return NotMade([str(error)])


def _next(requests: BinaryIO) -> bytes:
    """The next message; empty at the end."""
    head = requests.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return b""
    (length,) = LENGTH.unpack(head)
    return requests.read(length) if length <= MOST_BYTES else b""


def _decoded(wav: bytes, name: str) -> Recording:
    """Through memory, so that no voice is on a disk; in the process that decodes uploads. Raises RecordingRefused."""
    with os.fdopen(os.memfd_create("take"), "w+b") as file:
        file.write(wav)
        file.flush()
        return decode(file.fileno(), name, LONGEST_S)


if __name__ == "__main__":
    main()
