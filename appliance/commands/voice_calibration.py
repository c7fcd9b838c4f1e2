"""`dragoman voices calibrate`: recordings of known people in, settings for finding people by likeness out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from appliance.commands.options import ConfigOption, JsonOption
from appliance.commands.voice_store import now, open_store, print_json, show_table
from appliance.config import default_path, load
from appliance.environment import calm_matrices

if TYPE_CHECKING:
    from appliance.voices.arrays import Floats
    from appliance.voices.calibration import Calibration
    from appliance.voices.identity import Encoder
    from appliance.voices.profile import Profile

SUFFIXES = (".wav", ".flac")

FolderArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FOLDER", help="A folder for each person, called as the voice is (name or id), with WAV or FLAC files."
    ),
]


def calibrate(folder: FolderArgument, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Measure how alike speech must be to a voice on file to be taken for it; says what to configure.

    The recordings are best made by telephone, and are none that a voice was enrolled from: those are too much like it.
    A folder whose name is no voice on file is a stranger's, who is useful as well. Nothing is kept.
    """
    calm_matrices()
    from appliance.commands import voice_tables  # noqa: PLC0415
    from appliance.voices.calibration import calibrate as measure  # noqa: PLC0415
    from appliance.voices.consent import standing  # noqa: PLC0415
    from appliance.voices.identity import load_encoder, mean_voice  # noqa: PLC0415
    from appliance.voices.profile import Profile  # noqa: PLC0415

    settings = load(config or default_path())
    with open_store(config) as store:
        found = [one for one in store.survey() if isinstance(one, Profile)]
    encoder = load_encoder(settings.cache_dir, settings.voices.ecapa_folder)
    made = [one for one in found if one.identity.model == encoder.model and standing(one.consent, now()) == "given"]
    heard: dict[str, list[Floats]] = {}
    for each in _folders(folder):  # a voice can have two: one by its name, one by its id
        heard.setdefault(_id_of(each.name, made), []).extend(_stretches(each, encoder))
    on_file = {one.speaker_id: mean_voice(one.identity.numbers()[None]) for one in made}
    calibration = measure(on_file, heard, settings.voices.other_below or encoder.scale.other_below)
    if json:
        print_json({"model": encoder.model, **_facts(calibration)})
        return
    show_table(voice_tables.of_calibration(calibration))
    typer.echo(voice_tables.calibrated(calibration, encoder.model))


def _facts(calibration: "Calibration") -> Mapping[str, object]:
    import msgspec  # noqa: PLC0415

    return {**msgspec.structs.asdict(calibration), "at_most_wrong": calibration.at_most_wrong}


def _folders(folder: Path) -> list[Path]:
    """One for each person."""
    from appliance.voices.calibration import NotCalibrated  # noqa: PLC0415

    found = sorted(each for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else []
    if not found:
        raise NotCalibrated(f"{folder} has no folders; put each person's recordings into one with the voice's name")
    return found


def _id_of(name: str, profiles: Sequence["Profile"]) -> str:
    """Whose folder that is; a stranger's keeps its name."""
    from appliance.voices.calibration import NotCalibrated  # noqa: PLC0415

    if any(one.speaker_id == name for one in profiles):
        return name
    called = [one.speaker_id for one in profiles if one.name.casefold() == name.casefold()]
    if len(called) > 1:
        raise NotCalibrated(f'{len(called)} voices are called "{name}"; name the folder by its id: {", ".join(called)}')
    return called[0] if called else name


def _stretches(folder: Path, encoder: "Encoder") -> list["Floats"]:
    """The voice of every 5 s of speech in the recordings of one person."""
    from appliance.units import SAMPLE_RATE_HZ  # noqa: PLC0415
    from appliance.voices.choice import FIRST_LOOK_S  # noqa: PLC0415
    from appliance.voices.identity import mean_voice  # noqa: PLC0415
    from appliance.voices.intake import read_all  # noqa: PLC0415
    from appliance.voices.resemblyzer import clean_speech  # noqa: PLC0415

    length = round(FIRST_LOOK_S * SAMPLE_RATE_HZ)
    stretches = []
    for one in read_all(sorted(each for each in folder.iterdir() if each.suffix.lower() in SUFFIXES)):
        speech = clean_speech(one.samples, one.rate_hz)
        for first in range(0, len(speech) - length + 1, length):
            stretches.append(mean_voice(encoder.partials(speech[first : first + length])))
    return stretches
