"""Makes the engines that have settings of their own from the configuration; each SDK is imported only then."""

from appliance.config import Config, api_key
from appliance.engines.protocols import BatchRecognizer, EngineError, StreamingRecognizer, Synthesizer, Translator
from appliance.recovery.breaker import PATIENCE_MS


def deepgram_nova(config: Config) -> StreamingRecognizer:
    return _deepgram(config, config.cloud.deepgram.nova_model)


def deepgram_flux(config: Config) -> StreamingRecognizer:
    return _deepgram(config, config.cloud.deepgram.flux_model)


def _deepgram(config: Config, model: str) -> StreamingRecognizer:
    from appliance.engines.deepgram import KEY_VARIABLE, Deepgram, DeepgramSettings
    from appliance.engines.deepgram_connection import Deadlines

    chosen = config.cloud.deepgram
    settings = DeepgramSettings(
        key=api_key(KEY_VARIABLE, chosen.key_file),
        model=model,
        server=chosen.server,
        endpoint_ms=config.engines.endpoint_ms,
        deadlines=Deadlines(answer_s=chosen.answer_ms / 1000),
        patience_s=PATIENCE_MS["asr"] / 1000,
    )
    return Deepgram(settings)


def whisper(config: Config) -> BatchRecognizer:
    from appliance.engines.whisper import Whisper

    chosen = config.cloud.whisper
    return Whisper(chosen.folder.expanduser(), config.engines.threads, chosen.device)


def deepl(config: Config) -> Translator:
    from appliance.engines.deepl import KEY_VARIABLE, DeepL, DeepLSettings

    chosen = config.cloud.deepl
    return DeepL(DeepLSettings(api_key(KEY_VARIABLE, chosen.key_file), chosen.server, chosen.budget_ms))


def nllb(config: Config) -> Translator:
    from appliance.engines.nllb import Nllb, NllbSettings

    chosen = config.cloud.nllb
    folder = chosen.folder.expanduser()
    return Nllb(NllbSettings(folder, chosen.accepted_licence, chosen.device, config.engines.threads))


def elevenlabs(config: Config) -> Synthesizer:
    from appliance.engines.elevenlabs import KEY_VARIABLE, ElevenLabs, ElevenLabsSettings

    chosen = config.cloud.elevenlabs
    key = api_key(KEY_VARIABLE, chosen.key_file)
    return ElevenLabs(ElevenLabsSettings(key, chosen.voice, chosen.model, chosen.server, chosen.answer_ms))


def xtts(config: Config) -> Synthesizer:
    try:
        from appliance.engines.xtts import Xtts, XttsSettings
    except ImportError as error:
        raise EngineError(
            f'"xtts" needs {error.name}, which is not installed; run: pip install dragoman[xtts]'
        ) from None

    chosen = config.cloud.xtts
    settings = XttsSettings(
        folder=chosen.folder.expanduser(),
        acceptance_file=chosen.acceptance_file.expanduser(),
        voice=chosen.voice,
        device=chosen.device,
        precision=chosen.precision,
        streams=chosen.streams,
        threads=config.engines.threads,
    )
    return Xtts(settings)
