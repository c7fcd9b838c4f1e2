"""The engines by name, and choosing among them by language, as the configuration says."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeVar, cast

from appliance.config import Config, ConfigError
from appliance.engines.model_files import manifest, verified_folder
from appliance.engines.protocols import (
    BatchRecognizer,
    EngineError,
    StreamingRecognizer,
    Synthesizer,
    Translator,
    VoiceDetector,
)

RECOGNIZERS = {
    "whisper-tiny-en": "appliance.engines.whisper:Whisper",
    "whisper-base": "appliance.engines.whisper:Whisper",
}
STREAMING_RECOGNIZERS = {
    "deepgram-flux": "appliance.engines.from_config:deepgram_flux",
    "deepgram-nova": "appliance.engines.from_config:deepgram_nova",
}
TRANSLATORS = {
    "bergamot": "appliance.engines.bergamot:Bergamot",
    "deepl": "appliance.engines.from_config:deepl",
    "nllb": "appliance.engines.from_config:nllb",
}
SYNTHESIZERS = {
    "elevenlabs": "appliance.engines.from_config:elevenlabs",
    "kokoro": "appliance.engines.kokoro:Kokoro",
    "piper": "appliance.engines.piper:Piper",
}
VOICE_DETECTOR = "silero-vad"
VOICE_DETECTORS = {VOICE_DETECTOR: "appliance.engines.silero_vad:SileroVad"}
EVERY_OTHER = "*"

Engine = TypeVar("Engine", StreamingRecognizer, Synthesizer)


def load_recognizer(name: str, config: Config) -> BatchRecognizer:
    """The recognizer called `name`, loaded and not yet warm. Raises EngineError, as all loading here does."""
    return cast(BatchRecognizer, _load(name, RECOGNIZERS, config))


def load_streaming_recognizer(name: str, config: Config) -> StreamingRecognizer:
    """The streaming recognizer called `name`."""
    return cast(StreamingRecognizer, _load(name, STREAMING_RECOGNIZERS, config))


def load_translator(name: str, config: Config) -> Translator:
    """The translator called `name`."""
    return cast(Translator, _load(name, TRANSLATORS, config))


def load_synthesizer(name: str, config: Config) -> Synthesizer:
    """The synthesizer called `name`."""
    return cast(Synthesizer, _load(name, SYNTHESIZERS, config))


def load_voice_detector(config: Config) -> VoiceDetector:
    """What finds speech on the legs."""
    return cast(VoiceDetector, _load(VOICE_DETECTOR, VOICE_DETECTORS, config))


def load_recognizers(
    config: Config, streamed: Callable[[BatchRecognizer], StreamingRecognizer]
) -> dict[str, StreamingRecognizer]:
    """Every recognizer that the configuration names, by language; warm, and each loaded once.

    streamed: makes a recognizer of ours, which decodes windows, follow the legs.
    """

    def load(name: str, config: Config) -> StreamingRecognizer:
        if name in STREAMING_RECOGNIZERS:
            return load_streaming_recognizer(name, config)
        return streamed(load_recognizer(name, config))

    return _load_each(config.engines.recognizers, load, config)


def load_synthesizers(config: Config) -> dict[str, Synthesizer]:
    """Every synthesizer that the configuration names, by language; warm, and each loaded once."""
    return _load_each(config.engines.synthesizers, load_synthesizer, config)


def for_language(engines: Mapping[str, Engine], language: str, table: str) -> Engine:
    """Which of `engines` (by language) serves `language`: by its whole tag, its first part, or "*".

    `table` is their key in the configuration, for the message. Raises EngineError where none does.
    """
    for tag in (language, language.partition("-")[0], EVERY_OTHER):
        if tag in engines:
            return engines[tag]
    raise EngineError(f'no engine for "{language}"; name one under engines.{table} in appliance.toml')


def _load_each(names: Mapping[str, str], load: Callable[[str, Config], Engine], config: Config) -> dict[str, Engine]:
    engines = {name: load(name, config) for name in sorted(set(names.values()))}
    for engine in engines.values():
        engine.warm()
    return {language: engines[name] for language, name in names.items()}


def _load(name: str, table: Mapping[str, str], config: Config) -> Any:
    if name not in table:
        raise EngineError(f'there is no engine "{name}"; choose one of {", ".join(sorted(table))} in appliance.toml')
    module, _, made_by = table[name].partition(":")
    if name not in manifest():  # no model files of ours
        return _made_from(config, module, made_by)
    # Proven before the import, because an SDK may open its files as soon as it is imported.
    folder = verified_folder(manifest()[name], config.cache_dir)
    try:
        engine = getattr(import_module(module), made_by)
    except ImportError as error:  # a library is missing, or was built for other machines than this one
        raise EngineError(f'engine "{name}" cannot run here ({error}); run make setup, or name another one') from error
    return engine(folder, config.engines.threads)


def _made_from(config: Config, module: str, made_by: str) -> Any:
    try:
        return getattr(import_module(module), made_by)(config)
    except ImportError as error:
        raise EngineError(f"the package {error.name} is not installed; run: pip install dragoman[cloud]") from None
    except ConfigError as error:
        raise EngineError(str(error)) from None
