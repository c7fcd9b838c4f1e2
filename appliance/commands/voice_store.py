"""What all commands about voices share: the store, finding a voice in it, and telling what was done."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from appliance.config import default_path, load

if TYPE_CHECKING:
    from rich.table import Table

    from appliance.voices.profile import Profile
    from appliance.voices.store import VoiceStore

VoiceArgument = Annotated[str, typer.Argument(metavar="VOICE", help="Its id or its name.")]


def open_store(config: Path | None) -> "VoiceStore":
    """The store that the configuration names."""
    from appliance.voices.store import VoiceStore  # noqa: PLC0415

    voices = load(config or default_path()).voices
    return VoiceStore(voices.folder, voices.key_file)


def find_voice(store: "VoiceStore", voice: str) -> "Profile":
    """The voice with this id, or the only one with this name. Raises VoiceError."""
    from appliance.voices.errors import VoiceError, VoiceMissing  # noqa: PLC0415

    if voice in store.ids():
        return store.get(voice)
    found = called(store, voice)
    if not found:
        raise VoiceMissing(f'there is no voice "{voice}"; see: dragoman voices list')
    if len(found) > 1:
        ids = ", ".join(one.speaker_id for one in found)
        raise VoiceError(f'{len(found)} voices are called "{voice}"; name the one you mean by its id: {ids}')
    return found[0]


def called(store: "VoiceStore", name: str) -> list["Profile"]:
    """The voices with this name, in capitals or not."""
    return store.called(name)


def now() -> datetime:
    """The time of day, for consent."""
    return datetime.now(UTC)


def print_done(json: bool, sentence: str, **facts: Any) -> None:
    """What was done: a sentence, or the facts as JSON."""
    if json:
        print_json(facts)
    else:
        typer.echo(sentence)


def print_json(value: Any) -> None:
    """One JSON object."""
    typer.echo(msgspec.json.encode(value))


def show_table(table: "Table") -> None:
    """A table, as wide as the terminal is."""
    from rich.console import Console  # noqa: PLC0415

    Console().print(table)
