"""A process that looks at recordings or enrols a voice, so that `ops` goes on answering: `python -m` this module.

It reads one Job as JSON from standard input, and writes JSON lines to standard output: News, the last one with `ended`.
"""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import soundfile

from appliance.commands.voice_enrolment import learned
from appliance.commands.voice_preview import rehearsed, sentence
from appliance.commands.voice_store import called
from appliance.config import parse
from appliance.engines.protocols import EngineError
from appliance.ops.voices.messages import Enrolment, Figures, Job, News, Sentence
from appliance.voices.consent import WORDING, Consent
from appliance.voices.enrolment import EnrolmentRefused, Wish, enrol
from appliance.voices.errors import VoiceError
from appliance.voices.identity import load_encoder
from appliance.voices.intake import LONGEST_S, Recording, decode
from appliance.voices.profile import dialled
from appliance.voices.quality import advise, measure
from appliance.voices.store import VoiceStore
from appliance.voices.style import load_style


def main() -> None:
    """Do the job."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    try:
        if job.sentence:
            outcome = _say(job, job.sentence)
        else:
            outcome = _enrol(job, job.enrolment) if job.enrolment else _measure(job)
    except EnrolmentRefused as error:
        outcome = News(ended=True, refused=True, sentences=[one.text for one in error.advice])
    except (VoiceError, EngineError, msgspec.ValidationError) as error:
        outcome = News(ended=True, refused=True, sentences=[str(error)])
    _tell(outcome)


def _measure(job: Job) -> News:
    (recording,) = _recordings(job)
    quality = measure(recording.samples, recording.rate_hz)
    figures = Figures(quality.speech_s, quality.snr_db, quality.clipped_share, quality.bandwidth_hz)
    advice = advise([(recording.name, quality)], needed_s=0)
    return News(ended=True, figures=figures, sentences=[one.text for one in advice])


def _enrol(job: Job, asked: Enrolment) -> News:
    wish = _wish(asked)
    with VoiceStore(Path(job.folder), Path(job.key_file)) as store:
        if called(store, asked.name):
            raise VoiceError(f'there is a voice called "{asked.name}" already; take another name, or delete that one')
    _tell(News("reading"))
    recordings = _recordings(job)
    config = parse(job.config, "appliance.toml")
    encoder = load_encoder(Path(job.cache_dir), config.voices.ecapa_folder)
    styles = load_style(config.voices.gst_folder)
    made = enrol(
        recordings, wish, encoder, datetime.now(UTC), lambda what, share: _tell(News(what, share)), styles=styles
    )
    profile = learned(made, config, encoder)
    with VoiceStore(Path(job.folder), Path(job.key_file)) as store:
        store.put(profile)
    return News("done", 1.0, True, sentences=[one.text for one in made.advice], speaker_id=profile.speaker_id)


def _say(job: Job, asked: Sentence) -> News:
    """Into the file that was handed over."""
    with VoiceStore(Path(job.folder), Path(job.key_file)) as store:
        profile = store.for_synthesis(job.speaker_id, datetime.now(UTC))
    heard = rehearsed(profile, parse(job.config, "appliance.toml"), asked.text, asked.language)
    (descriptor, _name) = job.files[0]
    with open(descriptor, "wb", closefd=False) as file:
        soundfile.write(file, heard.samples, heard.rate_hz, format="WAV", subtype="PCM_16")
    return News(ended=True, sentences=[sentence(profile, heard)], is_own=heard.is_own)


def _recordings(job: Job) -> list[Recording]:
    """Raises RecordingRefused."""
    recordings: list[Recording] = []
    for descriptor, name in job.files:
        left_s = LONGEST_S - sum(one.seconds for one in recordings)
        recordings.append(decode(descriptor, name, max(1, int(left_s))))
    return recordings


def _wish(asked: Enrolment) -> Wish:
    """Raises VoiceError."""
    now = datetime.now(UTC)
    until = asked.consent_until
    ends = datetime(until.year, until.month, until.day, tzinfo=UTC) + timedelta(days=1) if until else None
    if ends and ends <= now:
        raise VoiceError(f"a consent until {until} has ended already; name a later day")
    try:
        numbers = tuple(dialled(number) for number in asked.phone_numbers)
    except ValueError as error:
        raise VoiceError(f"{error}; write it with its digits, like +55 11 99999-0000") from None
    return Wish(asked.name, Consent(asked.consent_by, now, WORDING, ends), numbers)


def _tell(news: News) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(news) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
