"""From recordings to a voice on file: measured, all of one speaker, cut into manners of speaking."""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import accumulate, pairwise
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np

from appliance.voices.arrays import Floats
from appliance.voices.consent import Consent
from appliance.voices.errors import VoiceError
from appliance.voices.identity import Encoder, Halves, Verdict, least_alike, likeness, mean_voice, verdict
from appliance.voices.intake import Recording
from appliance.voices.manners import manners, windows
from appliance.voices.profile import IDENTITY_SLOT, STYLE_SLOT, Embedding, Profile, Quality, new_speaker_id
from appliance.voices.quality import LEAST_SPEECH_S, NEEDED_SPEECH_S, Advice, advise, measure, together
from appliance.voices.resemblyzer import clean_speech
from appliance.voices.style import Prosody, StyleEncoder

Progress: TypeAlias = Callable[[str, float], None]  # what is being done, and the share of the whole that is done

_LISTENING = 0.5  # of the whole, as long as the rest


class EnrolmentRefused(VoiceError):  # noqa: N818
    """No voice can be made of these recordings. `advice` has more: also what could be better."""

    reason = "enrolment"

    def __init__(self, advice: Sequence[Advice]) -> None:
        super().__init__("enrolment refused: " + "; ".join(one.text for one in advice if one.refuses))
        self.advice = tuple(advice)


class Wish(NamedTuple):
    """Whose voice, and what the person agreed to; `spoken` is the consent as they said it, where they did."""

    name: str
    consent: Consent
    phone_numbers: tuple[str, ...] = ()
    spoken: Recording | None = None


class Manner(NamedTuple):
    """One manner of speaking: its place among the styles, a slot of (64,), and its windows: (recording, first, end)."""

    style: Floats
    windows: tuple[tuple[int, int, int], ...]
    speech_s: float


class Enrolled(NamedTuple):
    """The voice, not yet stored; its manners, that with most speech first; and what could be better.

    `recordings` are those that the manners' windows count.
    """

    profile: Profile
    manners: tuple[Manner, ...]
    advice: tuple[Advice, ...]
    recordings: tuple[Recording, ...] = ()


def enrol(
    recordings: Sequence[Recording],
    wish: Wish,
    encoder: Encoder,
    now: datetime,
    progress: Progress = lambda _what, _share: None,
    needed_s: float = NEEDED_SPEECH_S,
    styles: StyleEncoder | None = None,
) -> Enrolled:
    """Make a voice of `recordings`, needing `needed_s` of speech. Raises EnrolmentRefused with all that is wrong.

    encoder: tells voices apart; styles: tells manners apart, by default the statistics of prosody.
    """
    styles = styles or Prosody()
    progress("measuring", 0.0)
    qualities = [measure(one.samples, one.rate_hz) for one in recordings]
    advice = advise([(one.name, quality) for one, quality in zip(recordings, qualities, strict=True)], needed_s)
    _refuse(advice)
    spoken = [one for one, quality in zip(recordings, qualities, strict=True) if quality.speech_s >= LEAST_SPEECH_S]
    partials = _listen(spoken, encoder, progress)
    voice, alike = mean_voice(np.concatenate(partials)), least_alike(partials, encoder.scale)
    advice += _one_speaker(verdict(alike.cosine, encoder.scale), alike, spoken)
    advice += _consent_spoken(wish.spoken, voice, encoder)
    _refuse(advice)
    found = _manners(spoken, styles, progress)
    profile = Profile(
        speaker_id=new_speaker_id(),
        name=wish.name,
        identity=Embedding.of(encoder.model, voice, IDENTITY_SLOT),
        style=Embedding.of(styles.model, found[0].style[: styles.width], STYLE_SLOT),
        created_at=now,
        phone_numbers=wish.phone_numbers,
        consent=wish.consent,
        quality=_with_self_similarity(together(qualities), alike.cosine),
    )
    progress("done", 1.0)
    return Enrolled(profile, found, tuple(advice), tuple(spoken))


def _with_self_similarity(quality: Quality, cosine: float) -> Quality:
    return msgspec.structs.replace(quality, self_similarity=cosine)


def _refuse(advice: Sequence[Advice]) -> None:
    if any(one.refuses for one in advice):
        raise EnrolmentRefused(advice)


def _listen(recordings: Sequence[Recording], encoder: Encoder, progress: Progress) -> list[Floats]:
    """The partials of each recording."""
    ends_s = [0.0, *accumulate(one.seconds for one in recordings)]
    shares = [_LISTENING * end_s / ends_s[-1] for end_s in ends_s]
    return [
        encoder.partials(clean_speech(one.samples, one.rate_hz), _part(progress, "listening", first, last))
        for one, (first, last) in zip(recordings, pairwise(shares), strict=True)
    ]


def _part(progress: Progress, what: str, first: float, last: float) -> Callable[[float], None]:
    """The progress of one part of the whole, from the share `first` to the share `last`."""
    return lambda share: progress(what, first + (last - first) * share)


def _one_speaker(said: Verdict, halves: Halves, recordings: Sequence[Recording]) -> list[Advice]:
    """What to say of recordings whose least alike halves are those."""
    if said == "same":
        return []
    rarer = ", ".join(recordings[place].name for place in halves.rarer_in)
    where = f"{rarer} (likeness {halves.cosine:.2f})"
    if said == "other":
        hint = "leave it out, or record it again, alone, in the same room, with the same microphone"
        return [Advice(True, f"another speaker, or another room, is heard in {where}; {hint}")]
    hint = "if nobody else speaks there, better record all in one room with one microphone"
    return [Advice(False, f"a part of {where} sounds unlike the rest; {hint}")]


def _consent_spoken(spoken: Recording | None, voice: Floats, encoder: Encoder) -> list[Advice]:
    if spoken is None:
        return []
    speech = clean_speech(spoken.samples, spoken.rate_hz)
    cosine = likeness(mean_voice(encoder.partials(speech)), voice)
    if verdict(cosine, encoder.scale) != "other":
        return []
    return [Advice(True, f"{spoken.name} is spoken by somebody else than the recordings (likeness {cosine:.2f})")]


def _manners(recordings: Sequence[Recording], encoder: StyleEncoder, progress: Progress) -> tuple[Manner, ...]:
    """Raises EnrolmentRefused where no stretch is long enough to have a style."""
    cuts = [(place, *cut) for place, one in enumerate(recordings) for cut in windows(one.samples, one.rate_hz)]
    styles, kept = [], []
    tell = _part(progress, "measuring manners", _LISTENING, 1.0)
    for number, (place, first, end) in enumerate(cuts):
        tell(number / len(cuts))
        one = recordings[place]
        if (found := encoder.style(one.samples[first:end], one.rate_hz)) is not None:
            styles.append(found.vector.numbers())
            kept.append((place, first, end))
    if not styles:
        raise EnrolmentRefused([Advice(True, "no recording has 3 s of speech in a row; speak in whole sentences")])
    lengths_s = [(end - first) / recordings[place].rate_hz for place, first, end in kept]
    return tuple(
        Manner(
            np.mean([styles[window] for window in group], axis=0),
            tuple(kept[window] for window in group),
            sum(lengths_s[window] for window in group),
        )
        for group in manners(np.array(styles, np.float32), lengths_s)
    )
