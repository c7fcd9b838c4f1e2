"""`dragoman voices enrol` and `verify`: recordings in, a voice or a comparison out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from appliance.commands.options import ConfigOption, JsonOption
from appliance.commands.voice_store import (
    VoiceArgument,
    called,
    find_voice,
    now,
    open_store,
    print_json,
    show_table,
)
from appliance.config import Config, default_path, load
from appliance.environment import calm_matrices

if TYPE_CHECKING:
    from appliance.voices.consent import Consent
    from appliance.voices.enrolment import Enrolled, Progress
    from appliance.voices.identity import Encoder
    from appliance.voices.intake import Recording
    from appliance.voices.profile import Profile

EXIT_NOT_THE_SAME = 1
READING = 0.1  # of the whole
NO_CLONING = "no engine that clones voices is installed: until one is, calls go on in a stock voice"

FilesArgument = Annotated[
    list[Path], typer.Argument(metavar="FILES...", help="WAV or FLAC, any rate, 10 minutes in all at most.")
]


def enrol(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose voice it is.")],
    files: FilesArgument,
    consent_by: Annotated[str, typer.Option(metavar="WHO", help="Who allows the voice to be used.")],
    consent_wording: Annotated[
        str, typer.Option(metavar="TEXT", help="What they agreed to. Without it: the usual sentence.")
    ] = "",
    consent_until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The last day. Without it: until withdrawn.")
    ] = None,
    consent_recording: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The consent as they said it, 30 s at most.")
    ] = None,
    number: Annotated[
        list[str] | None, typer.Option(metavar="NUMBER", help="Calls from this number get the voice; several times.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Put it in place of the voice of the same name.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Make a voice of recordings: 3 minutes of speech, one speaker. Says in words what to record again."""
    calm_matrices()
    from appliance.voices.enrolment import Wish  # noqa: PLC0415
    from appliance.voices.enrolment import enrol as make_voice  # noqa: PLC0415
    from appliance.voices.intake import read  # noqa: PLC0415
    from appliance.voices.style import load_style  # noqa: PLC0415

    settings = load(config or default_path())
    with open_store(config) as store:
        old = _old_voice(called(store, name), name, replace)
        encoder, styles = _encoder(settings), load_style(settings.voices.gst_folder)
        spoken = read(consent_recording) if consent_recording else None
        consent = _consent(consent_by, consent_wording, consent_until, spoken)
        numbers = _numbers(number or []) or (old.phone_numbers if old else ())
        with progress_bar(hidden=json) as progress:
            recordings = _read(files, progress)
            rest = _after(progress, READING)
            wish = Wish(name, consent, numbers, spoken)
            enrolled = make_voice(recordings, wish, encoder, now(), rest, styles=styles)
            if old:
                kept = msgspec.structs.replace(enrolled.profile, speaker_id=old.speaker_id)
                enrolled = enrolled._replace(profile=kept)
            profile = learned(enrolled, settings, encoder)
        store.put(profile)
    _tell(profile, enrolled, json)


def verify(voice: VoiceArgument, files: FilesArgument, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Say how alike recordings and a voice on file are. Exit status 1: not the same, or unclear.

    It finds mistakes, such as the wrong file. It is no proof of who speaks: let nobody in by it.
    """
    calm_matrices()
    from appliance.commands import voice_tables  # noqa: PLC0415
    from appliance.voices.comparison import compare  # noqa: PLC0415

    with open_store(config) as store:
        profile = find_voice(store, voice)
    with progress_bar(hidden=json) as progress:
        recordings = _read(files, progress)
        comparison = compare(profile, recordings, _encoder(load(config or default_path())))
    if json:
        print_json(comparison)
    else:
        show_table(voice_tables.of_comparison(comparison))
        typer.echo(voice_tables.conclusion(comparison.least, profile.name))
    raise typer.Exit(0 if comparison.least.verdict == "same" else EXIT_NOT_THE_SAME)


def _encoder(config: Config) -> "Encoder":
    from appliance.voices.identity import load_encoder  # noqa: PLC0415

    return load_encoder(config.cache_dir, config.voices.ecapa_folder)


def learned(enrolled: "Enrolled", config: Config, encoder: "Encoder") -> "Profile":
    """The profile with what the engine that clones makes of it, and how alike that sounds; as it is without one."""
    from appliance.engines.protocols import VoiceConditioner  # noqa: PLC0415
    from appliance.engines.registry import load_cloning  # noqa: PLC0415
    from appliance.voices.conditioning import conditioned  # noqa: PLC0415
    from appliance.voices.rehearsal import SENTENCES, rehearse  # noqa: PLC0415

    found = load_cloning(config)
    if found is None:
        return enrolled.profile
    name, engine = found
    if not isinstance(engine, VoiceConditioner):
        return enrolled.profile
    profile = conditioned(enrolled, engine)
    spoken = [tag for tag in engine.languages if tag.partition("-")[0] in SENTENCES]
    language = min(spoken, default="")
    if not language or profile.quality is None:
        return profile
    heard = rehearse(profile, name, engine, SENTENCES[language.partition("-")[0]], language, encoder)
    return msgspec.structs.replace(
        profile, quality=msgspec.structs.replace(profile.quality, synthesis_similarity=heard.similarity)
    )


def _old_voice(same_name: Sequence["Profile"], name: str, replace: bool) -> "Profile | None":
    from appliance.voices.errors import VoiceError  # noqa: PLC0415

    if same_name and not replace:
        there = f'there is a voice called "{name}" already ({same_name[0].speaker_id})'
        raise VoiceError(f"{there}; take another name, or put this one in its place: --replace")
    if len(same_name) > 1:
        raise VoiceError(f'{len(same_name)} voices are called "{name}"; rename or delete all but one of them')
    return same_name[0] if same_name else None


def _consent(by: str, wording: str, until: datetime | None, spoken: "Recording | None") -> "Consent":
    from appliance.voices.consent import WORDING, Consent  # noqa: PLC0415
    from appliance.voices.errors import ConsentLacking  # noqa: PLC0415
    from appliance.voices.spoken_consent import as_flac  # noqa: PLC0415

    at = now()
    expires_at = until.replace(tzinfo=UTC) + timedelta(days=1) if until else None
    if expires_at and expires_at <= at:
        raise ConsentLacking(f"a consent until {until:%Y-%m-%d} has ended already; name a later day")
    if not by.strip():
        raise ConsentLacking("nobody has consented; say who has, with --consent-by")
    return Consent(by, at, wording or WORDING, expires_at, recording=as_flac(spoken) if spoken else b"")


def _numbers(numbers: Sequence[str]) -> tuple[str, ...]:
    from appliance.voices.errors import VoiceError  # noqa: PLC0415
    from appliance.voices.profile import dialled  # noqa: PLC0415

    try:
        return tuple(dialled(number) for number in numbers)
    except ValueError as error:
        raise VoiceError(f"{error}; write it with its digits, like +55 11 99999-0000") from None


def _read(files: Sequence[Path], progress: "Progress") -> list["Recording"]:
    from appliance.voices.intake import LONGEST_S, read  # noqa: PLC0415

    recordings: list[Recording] = []
    for place, file in enumerate(files):
        progress(f"reading {file.name}", READING * place / len(files))
        left_s = LONGEST_S - sum(one.seconds for one in recordings)
        recordings.append(read(file, max(1, int(left_s))))
    return recordings


def _after(progress: "Progress", first: float) -> "Progress":
    """The progress of what is left after the share `first`."""
    return lambda what, share: progress(what, first + (1 - first) * share)


@contextmanager
def progress_bar(hidden: bool) -> Iterator["Progress"]:
    """On standard error, and only where somebody looks at it."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description:<24}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=hidden or not console.is_terminal) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)


def _tell(profile: "Profile", enrolled: "Enrolled", json: bool) -> None:
    from appliance.commands import voice_tables  # noqa: PLC0415
    from appliance.voices.card import card  # noqa: PLC0415

    if json:
        lengths_s = [one.speech_s for one in enrolled.manners]
        print_json({"voice": card(profile, now()), "manners_s": lengths_s, "advice": enrolled.advice})
        return
    typer.echo(voice_tables.enrolled(profile, enrolled))
    if not profile.synthesis:
        typer.echo(NO_CLONING)
