"""The report of a call: what each person said, what the other heard of it, and how long every stage took."""

from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import quantiles

import msgspec

from appliance.demo.accounts import Account, accounts
from appliance.frames.messages import JournalEntry
from appliance.speech.words import shared_words
from appliance.units import NS_PER_MS


class Utterance(msgspec.Struct, frozen=True):
    """One segment in one lane; `…_ms` instants count from the start of the call. None: it never got that far.

    A segment is spoken clause by clause while its speaker goes on. `chain_latency_ms` is from the segment's end to the
    first sample of its translation, negative where that was heard while the person still spoke; `lag_ms` is from the
    end of what the first clause translates. `tts_first_ms` and `first_audio_ms` are of that clause, `asr_ms` and
    `mt_ms` of the newest revision.
    """

    leg: int
    source_language: str
    target_language: str
    text: str
    translation: str
    speech_start_ms: float
    speech_end_ms: float
    asr_ms: float
    mt_ms: float
    tts_first_ms: float | None = None
    first_audio_ms: float | None = None
    chain_latency_ms: float | None = None
    lag_ms: float | None = None
    heard_text: str = ""  # what the other phone received, transcribed


class Percentiles(msgspec.Struct, frozen=True):
    """Median and 95th percentile in ms; None where nothing was measured."""

    p50: float | None
    p95: float | None


class FrameCounts(msgspec.Struct, frozen=True):
    """20 ms frames that crossed the box during the call."""

    uplink: int
    downlink: int
    dropped: int


class CallReport(msgspec.Struct, frozen=True):
    """Everything `report.json` holds."""

    ok: bool
    problems: list[str]
    utterances: list[Utterance]
    chain_latency_ms: Percentiles
    chain_latency_by_lane_ms: dict[str, Percentiles]
    lag_by_lane_ms: dict[str, Percentiles]
    frames: FrameCounts
    heard: dict[str, str]  # leg (its language) → WAV of what its phone received
    heard_share: dict[str, float]  # leg → part of the words of its translations that a transcript of that WAV has


def percentiles(values: Iterable[float | None]) -> Percentiles:
    """Median and 95th percentile of those that are known, by linear interpolation."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return Percentiles(None, None)
    if len(known) == 1:
        return Percentiles(known[0], known[0])
    cuts = quantiles(known, n=20, method="inclusive")
    return Percentiles(round(cuts[9], 1), round(cuts[18], 1))


def utterances(entries: Iterable[JournalEntry], call_start_ns: int) -> list[Utterance]:
    """One for each segment and lane, in the order in which people spoke."""
    return [_utterance(account, call_start_ns) for account in accounts(entries)]


def _utterance(account: Account, call_start_ns: int) -> Utterance:
    source, newest = account.source, account.newest
    spoken, first = account.spoken.get(0), account.first_audio.get(0)
    return Utterance(
        leg=source.leg,
        source_language=source.language,
        target_language=newest.target_language,
        text=source.text,
        translation=account.text,
        speech_start_ms=_since_ms(source.start_ns, call_start_ns),
        speech_end_ms=_since_ms(source.end_ns, call_start_ns),
        asr_ms=round(source.asr_ms, 1),
        mt_ms=round(newest.mt_ms, 1),
        tts_first_ms=round(spoken.tts_first_ms, 1) if spoken else None,
        first_audio_ms=_since_ms(first.sent_ns, call_start_ns) if first else None,
        chain_latency_ms=_since_ms(first.sent_ns, source.end_ns) if first else None,
        lag_ms=round(first.chain_ns / NS_PER_MS, 1) if first else None,
    )


def _since_ms(instant_ns: int, start_ns: int) -> float:
    return round((instant_ns - start_ns) / NS_PER_MS, 1)


def by_lane(spoken: Iterable[Utterance], figure: Callable[[Utterance], float | None]) -> dict[str, Percentiles]:
    """A figure of all utterances per direction, "en → pt-br"."""
    lanes: dict[str, list[float | None]] = {}
    for utterance in spoken:
        lane = f"{utterance.source_language} → {utterance.target_language}"
        lanes.setdefault(lane, []).append(figure(utterance))
    return {lane: percentiles(values) for lane, values in lanes.items()}


def heard_share(received: Iterable[Utterance]) -> dict[str, float]:
    """By listener, which part of the words sent is in the transcript of what the phone received."""
    sent: dict[str, list[str]] = {}
    understood: dict[str, list[str]] = {}
    for utterance in received:
        sent.setdefault(utterance.target_language, []).append(utterance.translation)
        understood.setdefault(utterance.target_language, []).append(utterance.heard_text)
    return {leg: round(shared_words(" ".join(sent[leg]), " ".join(understood[leg])), 3) for leg in sent}


def write(report: CallReport, path: Path) -> None:
    """Write the report as JSON for people and machines."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
