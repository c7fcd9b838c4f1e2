"""What one XTTS v2 is: how large, which tokens mean what, at which rates; and which weights that takes.

Read from coqui-tts's own config.json (XttsConfig) and vocab.json. No torch here.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from appliance.engines.protocols import EngineError

SPEAKER_SIZE = 512
CONDITIONING_LATENTS = 32  # what the perceiver makes of a recording, however long
UPSAMPLING = ((8, 16), (8, 16), (2, 4), (2, 4))  # HiFi-GAN's (rate, kernel), fixed in coqui-tts's HifiDecoder
KERNELS = (3, 7, 11)  # ... of the residual blocks after each
DILATIONS = (1, 3, 5)
FIRST_CHANNELS = 512
VOCODER = "hifigan_decoder.waveform_decoder"
# Parts that only enrolment needs; they are whole or not there, so one name each tells.
ENCODER, PERCEIVER = "gpt.conditioning_encoder.", "gpt.conditioning_perceiver."
SPEAKER_ENCODER, MEL_MEANS = "hifigan_decoder.speaker_encoder.", "mel_stats"
ENROLMENT_PARTS = (ENCODER, PERCEIVER, SPEAKER_ENCODER, MEL_MEANS)

GET_IT = "get the model with dragoman models fetch, or correct cloud.xtts.folder in appliance.toml"

Shapes = dict[str, tuple[int, ...]]
Decoded = TypeVar("Decoded", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Settings:
    """One model. The published one: 30 layers, 1024 wide, 16 heads, 6681 text and 1026 audio tokens."""

    layers: int
    width: int
    heads: int
    text_tokens: int
    start_text_token: int
    stop_text_token: int
    audio_tokens: int
    start_audio_token: int
    stop_audio_token: int
    most_text_tokens: int  # in one clause, with its language's token
    most_audio_tokens: int
    latent_samples: int  # of one latent, at `latent_rate_hz`: 1024
    latent_rate_hz: int  # 22,050
    rate_hz: int  # of the speech: 24,000
    frame_samples: int  # of one vocoder frame, at `rate_hz`: 256
    languages: tuple[str, ...]
    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float
    conditioning_s: int  # how much of a voice's recordings the language model is shown,
    conditioning_piece_s: int  # in pieces of this length
    reference_s: int  # how much of each recording the speaker encoder is shown
    equally_loud: bool  # recordings are made so before

    @property
    def latents_per_s(self) -> float:
        """21.53 latents (which are also tokens) a second of speech."""
        return self.latent_rate_hz / self.latent_samples


class _Arguments(msgspec.Struct, frozen=True):
    """`model_args` of config.json; the defaults are those of XttsArgs."""

    gpt_layers: int = 30
    gpt_n_model_channels: int = 1024
    gpt_n_heads: int = 16
    gpt_max_audio_tokens: int = 605
    gpt_max_text_tokens: int = 402
    gpt_num_audio_tokens: int = 8194
    gpt_start_audio_token: int = 8192
    gpt_stop_audio_token: int = 8193
    gpt_code_stride_len: int = 1024
    gpt_use_perceiver_resampler: bool = False
    input_sample_rate: int = 22_050
    output_sample_rate: int = 24_000
    output_hop_length: int = 256
    decoder_input_dim: int = 1024
    d_vector_dim: int = SPEAKER_SIZE
    cond_d_vector_in_each_upsampling_layer: bool = True


class _Config(msgspec.Struct, frozen=True):
    """What of config.json matters here; the defaults are those of XttsConfig."""

    model_args: _Arguments
    languages: tuple[str, ...]
    model: str = "xtts"
    temperature: float = 0.85
    top_k: int = 50
    top_p: float = 0.85
    repetition_penalty: float = 2.0
    gpt_cond_len: Annotated[int, msgspec.Meta(ge=1)] = 12
    gpt_cond_chunk_len: Annotated[int, msgspec.Meta(ge=1)] = 4
    max_ref_len: Annotated[int, msgspec.Meta(ge=1)] = 10
    sound_norm_refs: bool = False


class _Vocabulary(msgspec.Struct, frozen=True):
    """The part of a vocab.json (Hugging Face's tokenizers) that counts."""

    class Model(msgspec.Struct, frozen=True):
        vocab: dict[str, int]

    model: Model


def read_settings(folder: Path) -> Settings:
    """The settings of the model in `folder`. Raises EngineError: a file is missing, is no such file, is of XTTS v1."""
    config = _decoded(folder / "config.json", _Config)
    vocabulary = _decoded(folder / "vocab.json", _Vocabulary).model.vocab
    arguments = config.model_args
    if not arguments.gpt_use_perceiver_resampler or not arguments.cond_d_vector_in_each_upsampling_layer:
        raise EngineError(f"{folder / 'config.json'} is not of an XTTS v2 (no perceiver); use a model of that version")
    if arguments.decoder_input_dim != arguments.gpt_n_model_channels or arguments.d_vector_dim != SPEAKER_SIZE:
        raise EngineError(f"{folder / 'config.json'} is not of an XTTS v2 (its parts do not fit); get the file again")
    if missing := [token for token in ("[START]", "[STOP]", "[SPACE]") if token not in vocabulary]:
        raise EngineError(f"{folder / 'vocab.json'} has no token {missing[0]}; get the file that belongs to this model")
    return Settings(
        layers=arguments.gpt_layers,
        width=arguments.gpt_n_model_channels,
        heads=arguments.gpt_n_heads,
        text_tokens=max(vocabulary.values()) + 1,
        start_text_token=vocabulary["[START]"],
        stop_text_token=vocabulary["[STOP]"],
        audio_tokens=arguments.gpt_num_audio_tokens,
        start_audio_token=arguments.gpt_start_audio_token,
        stop_audio_token=arguments.gpt_stop_audio_token,
        most_text_tokens=arguments.gpt_max_text_tokens,
        most_audio_tokens=arguments.gpt_max_audio_tokens,
        latent_samples=arguments.gpt_code_stride_len,
        latent_rate_hz=arguments.input_sample_rate,
        rate_hz=arguments.output_sample_rate,
        frame_samples=arguments.output_hop_length,
        languages=config.languages,
        temperature=config.temperature,
        top_k=config.top_k,
        top_p=config.top_p,
        repetition_penalty=config.repetition_penalty,
        conditioning_s=config.gpt_cond_len,
        conditioning_piece_s=config.gpt_cond_chunk_len,
        reference_s=config.max_ref_len,
        equally_loud=config.sound_norm_refs,
    )


def expected_shapes(settings: Settings) -> Shapes:
    """The weights that speech needs, by name, with weight normalization already folded in."""
    return _language_model_shapes(settings) | _vocoder_shapes(settings.width)


def _decoded(path: Path, kind: type[Decoded]) -> Decoded:
    try:
        return msgspec.convert(json.loads(path.read_bytes()), kind)  # coqui-tts writes Infinity, which JSON has not
    except OSError as error:
        raise EngineError(f"model file {path} cannot be read ({error.strerror}); {GET_IT}") from None
    except (msgspec.ValidationError, ValueError) as error:
        raise EngineError(f"{path} is not what XTTS v2 has under this name ({error}); get the file again") from None


def _language_model_shapes(settings: Settings) -> Shapes:
    width = settings.width
    shapes: Shapes = {
        "text_embedding.weight": (settings.text_tokens, width),
        "mel_embedding.weight": (settings.audio_tokens, width),
        "text_pos_embedding.emb.weight": (settings.most_text_tokens + 2, width),
        "mel_pos_embedding.emb.weight": (settings.most_audio_tokens + 3, width),
        "mel_head.weight": (settings.audio_tokens, width),
        "mel_head.bias": (settings.audio_tokens,),
    }
    layer: Shapes = {
        "attn.c_attn.weight": (width, 3 * width),
        "attn.c_attn.bias": (3 * width,),
        "attn.c_proj.weight": (width, width),
        "attn.c_proj.bias": (width,),
        "mlp.c_fc.weight": (width, 4 * width),
        "mlp.c_fc.bias": (4 * width,),
        "mlp.c_proj.weight": (4 * width, width),
        "mlp.c_proj.bias": (width,),
    }
    for number in range(settings.layers):
        shapes |= {f"gpt.h.{number}.{name}": shape for name, shape in layer.items()}
        shapes |= _norm(f"gpt.h.{number}.ln_1", width) | _norm(f"gpt.h.{number}.ln_2", width)
    shapes |= _norm("gpt.ln_f", width) | _norm("final_norm", width)
    return {f"gpt.{name}": shape for name, shape in shapes.items()}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _vocoder_shapes(width: int) -> Shapes:
    shapes = _convolution("conv_pre", FIRST_CHANNELS, width, 7) | {"conv_post.weight": (1, FIRST_CHANNELS >> 4, 7)}
    shapes |= _convolution("cond_layer", FIRST_CHANNELS, SPEAKER_SIZE, 1)
    for stage, (_rate, kernel) in enumerate(UPSAMPLING):
        before, after = FIRST_CHANNELS >> stage, FIRST_CHANNELS >> (stage + 1)
        shapes |= {f"ups.{stage}.weight": (before, after, kernel), f"ups.{stage}.bias": (after,)}
        shapes |= _convolution(f"conds.{stage}", after, SPEAKER_SIZE, 1)
        for place, size in enumerate(KERNELS):
            for number in range(len(DILATIONS)):
                block = f"resblocks.{stage * len(KERNELS) + place}"
                shapes |= _convolution(f"{block}.convs1.{number}", after, after, size)
                shapes |= _convolution(f"{block}.convs2.{number}", after, after, size)
    return {f"{VOCODER}.{name}": shape for name, shape in shapes.items()}


def _convolution(name: str, out: int, into: int, kernel: int) -> Shapes:
    return {f"{name}.weight": (out, into, kernel), f"{name}.bias": (out,)}
