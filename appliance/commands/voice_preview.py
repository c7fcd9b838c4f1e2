"""`dragoman voices preview`: what somebody sounds like when the interpreter speaks for them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from appliance.commands.options import ConfigOption, JsonOption
from appliance.commands.voice_store import VoiceArgument, find_voice, now, open_store, print_done
from appliance.config import Config, default_path, load
from appliance.environment import calm_matrices

if TYPE_CHECKING:
    from appliance.voices.profile import Profile
    from appliance.voices.rehearsal import Rehearsal


def preview(
    voice: VoiceArgument,
    text: Annotated[str, typer.Option(help="What to say. Without it: a greeting, where one is known.")] = "",
    language: Annotated[str, typer.Option(metavar="TAG", help="In which language. Without it: the box's first.")] = "",
    output: Annotated[Path, typer.Option(metavar="FILE.wav", help="Where to write it.")] = Path("preview.wav"),
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Speak a sentence as somebody on file, into a WAV file; or say why it is the stock voice."""
    calm_matrices()
    settings = load(config or default_path())
    with open_store(config) as store:
        profile = store.for_synthesis(find_voice(store, voice).speaker_id, now())
    heard = rehearsed(profile, settings, text, language)
    write_wav(heard, output)
    print_done(
        json,
        f"{sentence(profile, heard)}; it is in {output}",
        speaker_id=profile.speaker_id,
        engine=heard.engine,
        own_voice=heard.is_own,
        why=heard.why,
        similarity=heard.similarity,
        file=str(output),
    )


def rehearsed(profile: "Profile", config: Config, text: str, language: str) -> "Rehearsal":
    """A sentence, as it would be spoken in a call. Raises EngineError, VoiceError."""
    from appliance.config import chain  # noqa: PLC0415
    from appliance.engines.registry import for_language, load_cloning, load_synthesizer  # noqa: PLC0415
    from appliance.voices.errors import VoiceError  # noqa: PLC0415
    from appliance.voices.identity import load_encoder  # noqa: PLC0415
    from appliance.voices.rehearsal import SENTENCES, rehearse  # noqa: PLC0415

    spoken = language.lower() or next(iter(config.engines.languages), "en")
    said = text or SENTENCES.get(spoken.partition("-")[0], "")
    if not said:
        raise VoiceError(f'nothing is known that could be said in "{spoken}"; say what, with --text')
    names = chain(for_language(config.engines.synthesizers, spoken, "synthesizers"))
    found = load_cloning(config)
    name, engine = found if found and found[0] in names else (names[0], load_synthesizer(names[0], config))
    return rehearse(profile, name, engine, said, spoken, load_encoder(config.cache_dir, config.voices.ecapa_folder))


def sentence(profile: "Profile", heard: "Rehearsal") -> str:
    """What is heard."""
    if not heard.is_own:
        return f"this is the stock voice of {heard.engine}, not {profile.name}: {heard.why}"
    alike = "" if heard.similarity is None else f" (likeness {heard.similarity:.2f})"
    return f"this is the voice of {profile.name}, spoken by {heard.engine}{alike}"


def write_wav(heard: "Rehearsal", file: Path) -> None:
    """Raises VoiceError."""
    import soundfile  # noqa: PLC0415

    from appliance.voices.errors import VoiceError  # noqa: PLC0415

    try:
        with file.open("wb") as opened:
            soundfile.write(opened, heard.samples, heard.rate_hz, format="WAV", subtype="PCM_16")
    except OSError as error:
        raise VoiceError(f"cannot write {file}: {error.strerror}") from None
