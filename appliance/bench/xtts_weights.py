"""Random weights in XTTS v2's published layout, and coqui-tts itself on them: what ours is compared with.

The real weights may not be passed on. Random ones of the same shapes cost the same time and take the same paths; what
comes out is noise.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from appliance.xtts.torchaudio_stand_in import provide_torchaudio

LANGUAGES = ("en", "es", "fr", "de", "it", "pt", "pl", "tr", "ru", "nl", "cs", "ar", "zh-cn", "hu", "ko", "ja", "hi")
SPECIAL = ("[STOP]", "[UNK]", "[SPACE]", *(f"[{language}]" for language in LANGUAGES), "[START]")
LETTERS = "!',-.?;:\"()abcdefghijklmnopqrstuvwxyzàáâãäçèéêíïóôõöúüñßœ0123456789"
AUDIO_TOKENS = 1026
SPEAKERS = ("Claribel Dervla", "Viktor Menelaos")
SEED = 20261123


@dataclass(frozen=True, slots=True)
class Size:
    """How large the model is; the published one is FULL."""

    layers: int
    width: int
    heads: int
    text_tokens: int  # at least those of SPECIAL and LETTERS


TINY = Size(layers=2, width=64, heads=2, text_tokens=128)
FULL = Size(layers=30, width=1024, heads=16, text_tokens=6681)


def make_checkpoint(
    folder: Path,
    size: Size = TINY,
    pickled_config: bool = False,
    stop_bias: float | None = None,
    loudness: float = 1.0,
) -> Path:
    """Write config.json, model.pth, vocab.json and speakers_xtts.pth, and return `folder`. FULL: 1.9 GB, a minute.

    `pickled_config`: model.pth also holds its configuration as a Python object, as the file of 2023 does.
    `stop_bias` is added to what the model thinks of its stop token: -1000 never ends, +1000 ends at once.
    `loudness`: how many times as loud it is as random weights are, which is -44 dB.
    """
    provide_torchaudio()
    from TTS.tts.configs.xtts_config import XttsArgs, XttsConfig  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    write_vocabulary(folder / "vocab.json", size.text_tokens)
    arguments = XttsArgs(
        gpt_layers=size.layers,
        gpt_n_model_channels=size.width,
        gpt_n_heads=size.heads,
        decoder_input_dim=size.width,
        gpt_use_perceiver_resampler=True,
        gpt_num_audio_tokens=AUDIO_TOKENS,
        gpt_start_audio_token=AUDIO_TOKENS - 2,
        gpt_stop_audio_token=AUDIO_TOKENS - 1,
    )
    config = XttsConfig(model_args=arguments)
    model = _random_model(config, folder / "vocab.json", stop_bias)
    model.hifigan_decoder.waveform_decoder.conv_post.weight.data *= loudness
    config.save_json(str(folder / "config.json"))
    _save_model(model, config, folder / "model.pth", pickled_config)
    torch.save({name: _random_speaker(size.width) for name in SPEAKERS}, folder / "speakers_xtts.pth")
    return folder


def reference(folder: Path, device: str = "cpu") -> Any:
    """Coqui's own `Xtts` with the weights in `folder`, ready for `inference_stream`."""
    provide_torchaudio()
    from TTS.tts.configs.xtts_config import XttsConfig  # noqa: PLC0415
    from TTS.tts.models.xtts import Xtts  # noqa: PLC0415

    config = XttsConfig()
    config.load_json(str(folder / "config.json"))
    model = Xtts(config)
    model.load_checkpoint(config, checkpoint_dir=str(folder), eval=True)
    return model.to(device)


def write_vocabulary(path: Path, tokens: int) -> None:
    """A byte-pair vocabulary with the special tokens, the letters, and a few merges, filled up to `tokens` entries."""
    from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: PLC0415

    merges = [("o", "l"), ("a", "r"), ("e", "s"), ("q", "u")]
    known = [*SPECIAL, *LETTERS, *("".join(pair) for pair in merges)]
    known += [f"[unused{number}]" for number in range(tokens - len(known))]
    model = models.BPE(vocab={token: number for number, token in enumerate(known)}, merges=merges, unk_token="[UNK]")
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.save(str(path))


def _random_model(config: Any, vocabulary: Path, stop_bias: float | None) -> Any:
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer  # noqa: PLC0415
    from TTS.tts.models.xtts import Xtts  # noqa: PLC0415

    torch.manual_seed(SEED)
    model = Xtts(config)
    model.tokenizer = VoiceBpeTokenizer(vocabulary)
    model.init_models()
    model.mel_stats.copy_(torch.rand(80) + 0.5)
    if stop_bias is not None:
        model.gpt.mel_head.bias.data[AUDIO_TOKENS - 1] += stop_bias
    return model


def _save_model(model: Any, config: Any, path: Path, pickled_config: bool) -> None:
    from TTS.tts.configs.xtts_config import XttsArgs, XttsAudioConfig  # noqa: PLC0415

    if not pickled_config:
        torch.save({"model": model.state_dict(), "config": json.loads(config.to_json())}, path)
        return
    modules = {kind: kind.__module__ for kind in (XttsArgs, XttsAudioConfig)}
    try:
        for kind in modules:
            kind.__module__ = "TTS.tts.models.xtts"  # where they were when the published file was written
        torch.save({"model": model.state_dict(), "config": config}, path)
    finally:
        for kind, module in modules.items():
            kind.__module__ = module


def _random_speaker(width: int) -> dict[str, torch.Tensor]:
    embedding = torch.nn.functional.normalize(torch.randn(1, 512, 1), dim=1)
    return {"gpt_cond_latent": torch.randn(1, 32, width) * 0.1, "speaker_embedding": embedding}
