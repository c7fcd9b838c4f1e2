"""What came of a lane in `bench lag`: from the journal's entries to what was heard and when, in ms of the stream."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from appliance.bench.lag_metrics import Interpreted, audible_revisions
from appliance.demo.accounts import Account, accounts
from appliance.frames.messages import JournalEntry, Spoken, Translation
from appliance.units import FRAME_NS, NS_PER_MS


@dataclass(frozen=True, slots=True)
class Said:
    """One segment of the speaker."""

    text: str
    start_ms: float
    end_ms: float


@dataclass(frozen=True, slots=True)
class LaneResult:
    """One lane: what was understood, what was heard of it, and what went wrong."""

    said: tuple[Said, ...]
    heard: tuple[Interpreted, ...]
    translation: str
    revisions: int  # that somebody could hear
    unheard: int  # segments of whose translation not everything was sent
    stages_ms: dict[str, float]  # the median time that each stage took

    @property
    def source(self) -> str:
        """All that was understood."""
        return " ".join(segment.text for segment in self.said)


def lane_result(entries: Sequence[JournalEntry], lane: int, start_ns: int) -> LaneResult:
    """What became of everything in `lane` since the stream began at `start_ns`."""
    own = [entry for entry in entries if getattr(entry, "lane", None) == lane]
    known = accounts(own)
    return LaneResult(
        said=tuple(_said(account, start_ns) for account in known),
        heard=tuple(_without_overlap([piece for each in enumerate(known) for piece in _heard(*each, start_ns)])),
        translation=" ".join(account.text for account in known if account.text),
        revisions=sum(_revisions(account, own) for account in known),
        unheard=sum(account.heard_until_ns is None for account in known),
        stages_ms=_stages_ms(own),
    )


def _stages_ms(entries: Iterable[JournalEntry]) -> dict[str, float]:
    translations = [entry for entry in entries if isinstance(entry, Translation)]
    took_ms = {
        "recognizing": [translation.source.asr_ms for translation in translations],
        "translating": [translation.mt_ms for translation in translations],
        "text to first sound": [entry.tts_first_ms for entry in entries if isinstance(entry, Spoken)],
    }
    return {stage: median(values) for stage, values in took_ms.items() if values}


def _said(account: Account, start_ns: int) -> Said:
    source = account.source
    return Said(source.text, _since_ms(source.start_ns, start_ns), _since_ms(source.end_ns, start_ns))


def _heard(segment: int, account: Account, start_ns: int) -> Iterable[Interpreted]:
    for clause, spoken in sorted(account.spoken.items()):
        first = account.first_audio.get(clause)
        if first is not None:
            yield Interpreted(
                spoken.text,
                source_start_ms=_since_ms(spoken.start_ns, start_ns),
                source_end_ms=_since_ms(spoken.end_ns, start_ns),
                first_ms=_since_ms(first.sent_ns, start_ns),
                last_ms=_since_ms(first.sent_ns + spoken.frames * FRAME_NS, start_ns),
                segment=segment,
            )


def _without_overlap(pieces: Sequence[Interpreted]) -> list[Interpreted]:
    """Each ends where the next begins, at the latest: one played faster was over sooner than its frames say."""
    ordered = sorted(pieces, key=lambda piece: piece.first_ms)
    ends = [min(piece.last_ms, following.first_ms) for piece, following in pairwise(ordered)]
    ends += [piece.last_ms for piece in ordered[-1:]]
    return [replace(piece, last_ms=end) for piece, end in zip(ordered, ends, strict=True)]


def _revisions(account: Account, entries: Iterable[JournalEntry]) -> int:
    """How often what had been spoken of a segment was not how its translation went on."""
    spoken: dict[int, str] = {}
    committed = []
    for entry in entries:
        if isinstance(entry, Spoken) and entry.seq_num == account.source.seq_num:
            spoken[entry.clause] = entry.text
            committed.append(" ".join(text for _, text in sorted(spoken.items())))
    return audible_revisions([*committed, account.text]) if committed else 0


def _since_ms(instant_ns: int, start_ns: int) -> float:
    return (instant_ns - start_ns) / NS_PER_MS
