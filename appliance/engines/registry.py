"""The engines by name, and choosing among them by language, as the configuration says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Generic, TypeVar, cast

from appliance.config import Config, ConfigError, Names, chain
from appliance.engines.model_files import manifest, verified_folder
from appliance.engines.protocols import (
    BatchRecognizer,
    CloningSynthesizer,
    EngineError,
    StreamingRecognizer,
    Synthesizer,
    Translator,
    VoiceDetector,
)

RECOGNIZERS = {
    "whisper": "appliance.engines.from_config:whisper",
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
    "xtts": "appliance.engines.from_config:xtts",
}
ELSEWHERE = frozenset({"deepgram-flux", "deepgram-nova", "deepl", "elevenlabs"})  # another machine answers
STOCK_ONLY = frozenset({"elevenlabs", "kokoro", "piper"})  # they clone nothing: none is loaded to find that out
VOICE_DETECTOR = "silero-vad"
VOICE_DETECTORS = {VOICE_DETECTOR: "appliance.engines.silero_vad:SileroVad"}
EVERY_OTHER = "*"

Engine = TypeVar("Engine", StreamingRecognizer, Translator, Synthesizer)
Served = TypeVar("Served")


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


@dataclass(frozen=True, slots=True)
class Engines(Generic[Engine]):
    """The engines of one stage by name, and who is asked in which order: names by language, or "*".

    `cold`: those that did not warm up, and why. They may work later.
    """

    by_name: Mapping[str, Engine]
    chains: Mapping[str, tuple[str, ...]]
    cold: Mapping[str, EngineError] = field(default_factory=dict)


def load_recognizers(
    config: Config, streamed: Callable[[BatchRecognizer], StreamingRecognizer]
) -> Engines[StreamingRecognizer]:
    """Every recognizer that the configuration names, each loaded once, and warm as far as they can be reached.

    streamed: makes a recognizer of ours, which decodes windows, follow the legs.
    """

    def load(name: str, config: Config) -> StreamingRecognizer:
        if name in STREAMING_RECOGNIZERS:
            return load_streaming_recognizer(name, config)
        return streamed(load_recognizer(name, config))

    return _load_each(config.engines.recognizers, load, config)


def load_translators(config: Config) -> Engines[Translator]:
    """Every translator that the configuration names, as above."""
    return _load_each({EVERY_OTHER: config.engines.translator}, load_translator, config)


def load_synthesizers(config: Config) -> Engines[Synthesizer]:
    """Every synthesizer that the configuration names, as above."""
    return _load_each(config.engines.synthesizers, load_synthesizer, config)


def load_cloning(config: Config) -> tuple[str, CloningSynthesizer] | None:
    """The first synthesizer of the configuration that clones voices, by name; None where none does."""
    for name in config.engines.named("tts"):
        if name not in STOCK_ONLY:
            engine = load_synthesizer(name, config)
            if isinstance(engine, CloningSynthesizer):
                return name, engine
    return None


def for_language(engines: Mapping[str, Served], language: str, table: str) -> Served:
    """Which of `engines` (by language) serves `language`: by its whole tag, its first part, or "*".

    `table` is their key in the configuration, for the message. Raises EngineError where none does.
    """
    for tag in (language, language.partition("-")[0], EVERY_OTHER):
        if tag in engines:
            return engines[tag]
    raise EngineError(f'no engine for "{language}"; name one under engines.{table} in appliance.toml')


def _load_each(names: Mapping[str, Names], load: Callable[[str, Config], Engine], config: Config) -> Engines[Engine]:
    """Raises EngineError for an engine that cannot be loaded, and where nobody of a chain warms up."""
    chains = {language: chain(each) for language, each in names.items()}
    engines = {name: load(name, config) for name in sorted({name for each in chains.values() for name in each})}
    cold: dict[str, EngineError] = {}
    for name, engine in engines.items():
        try:
            engine.warm()
        except EngineError as error:
            cold[name] = error
    for each in chains.values():
        if cold.keys() >= set(each):
            raise cold[each[0]]
    return Engines(engines, chains, cold)


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
