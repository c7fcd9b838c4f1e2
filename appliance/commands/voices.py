"""`dragoman voices`: the voices on file."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from appliance.commands.options import ConfigOption, JsonOption
from appliance.commands.voice_calibration import calibrate
from appliance.commands.voice_enrolment import enrol, verify
from appliance.commands.voice_invitations import invitations, invite, prompts, uninvite
from appliance.commands.voice_preview import preview
from appliance.commands.voice_store import (
    VoiceArgument,
    find_voice,
    now,
    open_store,
    print_done,
    print_json,
    show_table,
)
from appliance.config import VoicesConfig, default_path, load
from appliance.environment import calm_matrices

if TYPE_CHECKING:
    from appliance.voices.profile import Profile
    from appliance.voices.store import VoiceStore

EXIT_DAMAGED = 1
EXIT_NOT_GOOD = 1

PassphraseOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Read the passphrase from FILE, - for standard input. Without it: asked for."),
]

app = typer.Typer(no_args_is_help=True, help="The voices on file, and recordings for new ones.")
app.command()(enrol)
app.command()(verify)
app.command()(calibrate)
app.command()(preview)
app.command()(invite)
app.command()(invitations)
app.command()(uninvite)
app.command()(prompts)


@app.command("list")
def list_voices(config: ConfigOption = None, json: JsonOption = False) -> None:
    """List all voices with consent and quality. Exit status 1: some cannot be read."""
    calm_matrices()
    from appliance.commands import voice_tables  # noqa: PLC0415
    from appliance.voices.card import card  # noqa: PLC0415
    from appliance.voices.errors import VoiceError  # noqa: PLC0415

    with open_store(config) as store:
        found = list(store.survey())
    damaged = [str(one) for one in found if isinstance(one, VoiceError)]
    profiles = [one for one in found if not isinstance(one, VoiceError)]
    cards = [card(one, now()) for one in profiles]
    old = _outdated(profiles, load(config or default_path()).voices)
    if json:
        print_json({"voices": cards, "damaged": damaged, "outdated": old})
    else:
        show_table(voice_tables.of_cards(cards)) if cards else typer.echo("there are no voices yet")
        typer.echo("".join(f"{sentence}\n" for sentence in (*old, *damaged)), err=True, nl=False)
    raise typer.Exit(EXIT_DAMAGED if damaged else 0)


def _outdated(profiles: Sequence["Profile"], voices: VoicesConfig) -> list[str]:
    """What is to be done about voices that other encoders have made, or about the encoders; one sentence each."""
    from appliance.engines.protocols import EngineError  # noqa: PLC0415
    from appliance.voices.identity import model_in_use  # noqa: PLC0415
    from appliance.voices.outdated import Models, outdated  # noqa: PLC0415
    from appliance.voices.style import all_styles  # noqa: PLC0415

    if not profiles:
        return []
    try:
        models = Models(model_in_use(voices.ecapa_folder), all_styles(voices.gst_folder).keys())
    except EngineError as error:
        return [str(error)]
    return [sentence for one in profiles if (sentence := outdated(one, models))]


@app.command()
def show(voice: VoiceArgument, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show one voice: consent, quality, phone numbers, models."""
    from appliance.commands import voice_tables  # noqa: PLC0415
    from appliance.voices.card import card  # noqa: PLC0415

    with open_store(config) as store:
        one = card(find_voice(store, voice), now())
    if json:
        print_json(one)
    else:
        show_table(voice_tables.of_one(one))


@app.command()
def rename(
    voice: VoiceArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new name.")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Give a voice another name."""
    from appliance.voices.errors import VoiceError  # noqa: PLC0415

    with open_store(config) as store:
        speaker_id = find_voice(store, voice).speaker_id
        try:
            store.edit(speaker_id, lambda one: msgspec.structs.replace(one, name=name))
        except msgspec.ValidationError:
            raise VoiceError("a name has 1 to 200 characters") from None
    print_done(json, f"{speaker_id} is called {name} now", speaker_id=speaker_id, name=name)


@app.command()
def withdraw(voice: VoiceArgument, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Record that somebody has withdrawn consent: from now on the voice is not used; the profile stays."""
    with open_store(config) as store:
        speaker_id = find_voice(store, voice).speaker_id
        profile = store.edit(speaker_id, _withdrawn)
    print_done(json, f"the voice of {profile.name} is not used any more", speaker_id=speaker_id, consent="withdrawn")


@app.command()
def delete(
    voice: VoiceArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Delete a voice for good, and its key with it: nothing brings it back but an exported file."""
    with open_store(config) as store:
        # A damaged voice has no name, and can be deleted all the same.
        speaker_id = voice if voice in store.ids() else find_voice(store, voice).speaker_id
        if not yes:
            typer.confirm(f"Delete {voice} for good?", abort=True, err=True)
        store.delete(speaker_id)
    print_done(json, f"{voice} is deleted", speaker_id=speaker_id, deleted=True)


@app.command()
def export(
    voice: VoiceArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    passphrase_file: PassphraseOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Write a voice to a file, encrypted with a passphrase, to keep it or to carry it to another box."""
    from appliance.voices import parcel  # noqa: PLC0415

    with open_store(config) as store:
        profile = find_voice(store, voice)
    parcel.write(profile, file, _passphrase(passphrase_file, new=True))
    print_done(json, f"{profile.name} is in {file}", speaker_id=profile.speaker_id, file=str(file))


@app.command("import")
def import_voice(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What another box has exported.")],
    passphrase_file: PassphraseOption = None,
    replace: Annotated[bool, typer.Option("--replace", help="Put it in place of the voice with the same id.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Take a voice from an exported file. Its consent comes with it."""
    from appliance.voices import parcel  # noqa: PLC0415
    from appliance.voices.errors import VoiceError  # noqa: PLC0415

    profile = parcel.read(file, _passphrase(passphrase_file, new=False))
    with open_store(config) as store:
        if profile.speaker_id in store.ids():
            if not replace:
                there = f"the voice {profile.speaker_id} is here already"
                raise VoiceError(f"{there}; to put this one in its place: --replace")
            _refuse_withdrawn(store, profile)
        store.put(profile)
    print_done(
        json, f"{profile.name} is here as {profile.speaker_id}", speaker_id=profile.speaker_id, name=profile.name
    )


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="WAV or FLAC, 10 minutes in all at most.")],
    json: JsonOption = False,
) -> None:
    """Say whether recordings are good enough for a voice, and what to record again. Exit status 1: they are not."""
    from appliance.commands import voice_tables  # noqa: PLC0415
    from appliance.voices.examination import examine  # noqa: PLC0415

    examination = examine(files)
    if json:
        print_json(examination)
    else:
        show_table(voice_tables.of_recordings(examination))
        typer.echo("\n".join(one.text for one in examination.advice) or "these are good")
    raise typer.Exit(0 if examination.good else EXIT_NOT_GOOD)


def _withdrawn(profile: "Profile") -> "Profile":
    from appliance.voices.errors import ConsentLacking  # noqa: PLC0415

    if profile.consent is None:
        raise ConsentLacking(f"{profile.name} has given no consent that could be withdrawn")
    return msgspec.structs.replace(profile, consent=msgspec.structs.replace(profile.consent, withdrawn_at=now()))


def _refuse_withdrawn(store: "VoiceStore", profile: "Profile") -> None:
    """An old file does not bring back a consent that was withdrawn after it was written."""
    from appliance.voices.errors import ConsentLacking, VoiceDamaged  # noqa: PLC0415

    try:
        known = store.get(profile.speaker_id).consent
    except VoiceDamaged:  # what the import is for
        return
    if known is None or known.withdrawn_at is None:
        return
    if profile.consent is None or profile.consent.at <= known.withdrawn_at:
        raise ConsentLacking(f"{profile.name} has withdrawn the consent in this file; it needs a new one")


def _passphrase(file: Path | None, new: bool) -> str:
    from appliance.voices.errors import VoiceError  # noqa: PLC0415

    if file is None:
        return str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=new, err=True))
    try:
        text = sys.stdin.readline() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise VoiceError(f"cannot read the passphrase from {file}; name a text file that holds nothing else") from None
    return text.rstrip("\r\n")
