"""Accounts: what became of each segment in each lane, joined from the entries of a journal."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from appliance.frames.messages import FirstAudio, JournalEntry, Segment, Spoken, Translation
from appliance.speech.words import words
from appliance.units import FRAME_NS


@dataclass(slots=True)
class Account:
    """One segment in one lane.

    translations: by revision; spoken, first_audio: by clause. What a restarted process gave out again is not in it.
    """

    translations: dict[int, Translation] = field(default_factory=dict)
    spoken: dict[int, Spoken] = field(default_factory=dict)
    first_audio: dict[int, FirstAudio] = field(default_factory=dict)

    @property
    def newest(self) -> Translation:
        """The translation's newest revision."""
        return self.translations[max(self.translations)]

    @property
    def source(self) -> Segment:
        """What was said, as far as it is known."""
        return self.newest.source

    @property
    def text(self) -> str:
        """The translation, as far as it is known."""
        return " ".join(part.text for _, part in sorted(self.translations.items()) if part.text)

    @property
    def heard_until_ns(self) -> int | None:
        """By when all of it has been heard, at the latest; None while not all of it is on its way to the phone.

        0 where there is nothing to be heard.
        """
        if not self.newest.final or len(words(self._spoken_text)) < len(words(self.text)):
            return None
        if any(clause not in self.first_audio for clause, spoken in self.spoken.items() if spoken.frames):
            return None
        return max((self._clause_until_ns(clause) for clause in self.first_audio), default=0)

    @property
    def _spoken_text(self) -> str:
        return " ".join(spoken.text for spoken in self.spoken.values())

    def _clause_until_ns(self, clause: int) -> int:
        spoken = self.spoken.get(clause)
        return self.first_audio[clause].sent_ns + (spoken.frames * FRAME_NS if spoken else 0)


def accounts(entries: Iterable[JournalEntry]) -> list[Account]:
    """The accounts of all segments that were translated, in the order in which people spoke."""
    found: dict[tuple[int, int], Account] = {}
    for entry in entries:
        match entry:
            case Translation():
                _account(found, entry).translations.setdefault(entry.revision, entry)
            case Spoken():
                _account(found, entry).spoken.setdefault(entry.clause, entry)
            case FirstAudio():
                _account(found, entry).first_audio.setdefault(entry.clause, entry)
    translated = [account for account in found.values() if account.translations]
    return sorted(translated, key=lambda account: account.source.start_ns)


def _account(found: dict[tuple[int, int], Account], entry: Translation | Spoken | FirstAudio) -> Account:
    return found.setdefault((entry.lane, entry.seq_num), Account())
