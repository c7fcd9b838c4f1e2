"""`dragoman voices invite`, `invitations`, `uninvite` and `prompts`: enrolment by telephone."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from appliance.commands.options import ConfigOption, JsonOption
from appliance.commands.voice_enrolment import progress_bar
from appliance.commands.voice_store import now, open_store, print_done, print_json, show_table
from appliance.config import default_path, load

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Who is invited.")]


def invite(
    name: NameArgument,
    language: Annotated[
        str, typer.Option(metavar="TAG", help="Of the prompts and the sentences. Without it: the box's own.")
    ] = "",
    number: Annotated[
        list[str] | None, typer.Option(metavar="NUMBER", help="Calls from this number get the voice; several times.")
    ] = None,
    consent_until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The last day. Without it: until withdrawn.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Put it in place of the voice of the same name.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Let somebody enrol by telephone: prints a code of eight digits, good once and for seven days."""
    from appliance.voices.invitations import readable  # noqa: PLC0415
    from appliance.voices.inviting import Wanted  # noqa: PLC0415
    from appliance.voices.inviting import invite as invite_to  # noqa: PLC0415
    from appliance.voices.phone_prompts import usable  # noqa: PLC0415

    settings = load(config or default_path())
    until = consent_until.date() if consent_until else None
    wanted = Wanted(name, language, tuple(number or ()), until, replace)
    with open_store(config) as store:
        code, made = invite_to(store, wanted, usable(settings.engines.languages), now())
    to_dial = settings.voices.enrolment_number
    where = f"dials {to_dial} and keys in" if to_dial else "dials voices.enrolment_number, once it is set, and keys in"
    sentence = f"until {made.ends_at:%Y-%m-%d}, {made.name} {where} {readable(code)}"
    print_done(json, sentence, code=code, number=to_dial, invitation=made)


def invitations(config: ConfigOption = None, json: JsonOption = False) -> None:
    """List who is invited to enrol by telephone. Codes are not kept, so they are not shown."""
    with open_store(config) as store:
        found = store.invitations.all(now())
    if json:
        print_json({"invitations": found})
    elif found:
        from appliance.commands import voice_tables  # noqa: PLC0415

        show_table(voice_tables.of_invitations(found))
    else:
        typer.echo("nobody is invited")


def uninvite(name: NameArgument, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Take back the invitations of a name: their codes are good for nothing any more."""
    with open_store(config) as store:
        count = store.invitations.take_back(name)
    print_done(json, f"{name} is not invited any more", name=name, taken_back=count)


def prompts(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Let the box speak the prompts of enrolment by telephone, which it otherwise does when calls start."""
    from appliance.commands.voice_prompts import make  # noqa: PLC0415
    from appliance.voices.errors import VoiceError  # noqa: PLC0415

    settings = load(config or default_path())
    folder: Path = settings.voices.prompts_folder
    with progress_bar(hidden=json) as progress:
        try:
            count = make(settings, progress)
        except OSError as error:
            raise VoiceError(f"the prompts cannot be kept in {folder}: {error.strerror}") from None
    print_done(json, f"{count} new prompts are in {folder}", made=count, folder=str(folder))
