"""From what processes say about segments to durations: who says what about the same one, each counted once."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from appliance.frames.messages import FirstAudio, Spoken, Translation
from appliance.units import NS_PER_S

REMEMBERED = 1024  # of each kind; the oldest are forgotten: what is joined comes within seconds
MS_PER_S = 1000

Timing = Translation | Spoken | FirstAudio


@dataclass(frozen=True, slots=True)
class Duration:
    """One duration; `name` is one of measures.DURATIONS."""

    name: str
    seconds: float


class Timings:
    """Joins the entries of the journals by (lane, seq_num).

    `asr`: time in the recogniser for a revision, once though several lanes translate it. `mt`: the same for each
    translation. `tts`: text received to first frame pushed. `asr_to_tts_gap`: `mt` and `tts` of the first words of a
    segment; what lies between two processes (a wake-up) is not in it. `chain_latency`: last voiced sample to first
    sample on the wire, for the first words of a segment.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[Hashable, None] = OrderedDict()
        self._mt_s: OrderedDict[tuple[int, int], float] = OrderedDict()

    def take(self, entry: Timing) -> Iterator[Duration]:
        """The durations that become known with this entry."""
        match entry:
            case Translation():
                yield from self._translated(entry)
            case Spoken():
                yield from self._spoken(entry)
            case FirstAudio() if self._is_new(("audio", entry.lane, entry.seq_num)):
                yield Duration("chain_latency", entry.chain_ns / NS_PER_S)

    def _translated(self, entry: Translation) -> Iterator[Duration]:
        source = entry.source
        if self._is_new(("asr", source.leg, source.seq_num, source.revision)):
            yield Duration("asr", source.asr_ms / MS_PER_S)
        mt_s = entry.mt_ms / MS_PER_S
        yield Duration("mt", mt_s)
        self._mt_s.setdefault((entry.lane, entry.seq_num), mt_s)
        _forget(self._mt_s)

    def _spoken(self, entry: Spoken) -> Iterator[Duration]:
        tts_s = entry.tts_first_ms / MS_PER_S
        yield Duration("tts", tts_s)
        mt_s = self._mt_s.pop((entry.lane, entry.seq_num), None)
        if mt_s is not None and self._is_new(("spoken", entry.lane, entry.seq_num)):
            yield Duration("asr_to_tts_gap", mt_s + tts_s)

    def _is_new(self, what: Hashable) -> bool:
        if what in self._seen:
            return False
        self._seen[what] = None
        _forget(self._seen)
        return True


def _forget(known: OrderedDict[Hashable, None] | OrderedDict[tuple[int, int], float]) -> None:
    while len(known) > REMEMBERED:
        known.popitem(last=False)
