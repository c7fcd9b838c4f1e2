"""What XTTS v2 needs of a voice, from recordings: latents for its language model, and an embedding for its vocoder.

The same computation as `Xtts.get_conditioning_latents` of coqui-tts, in float32 on the CPU, where it disturbs nobody
who is being spoken for.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from appliance.engines.protocols import ClonedVoice, EngineError, Samples
from appliance.xtts.settings import ENCODER, MEL_MEANS, PERCEIVER, SPEAKER_ENCODER, Settings
from appliance.xtts.torchaudio_stand_in import provide_torchaudio

RATE_HZ = 22_050  # what coqui-tts reads recordings at
SPEAKER_RATE_HZ = 16_000
LEAST_PIECE_S = 0.33  # coqui-tts leaves out what is shorter
LEAST_REFERENCE_S = 3.0  # of a further stretch: an embedding of less would count as much as one of a long stretch
LOUDNESS = 0.75  # the loudest sample, where the model wants recordings equally loud
BLOCKS = 6  # these four are fixed in coqui-tts's GPT
LAYERS = 2
PERCEIVER_HEADS = 8
PERCEIVER_HEAD_SIZE = 64
LEAST_MEL = 1e-5
SPECTRUM = {"fft_size": 512, "win_length": 400, "hop_length": 160, "preemphasis": 0.97, "num_mels": 64}  # the speaker's


class Conditioner:
    """The parts of one model that only enrolment needs. Any thread may call it."""

    def __init__(self, weights: Mapping[str, Tensor], settings: Settings) -> None:
        provide_torchaudio()
        from torchaudio.functional import resample  # noqa: PLC0415
        from torchaudio.transforms import MelSpectrogram  # noqa: PLC0415
        from TTS.encoder.models.resnet import ResNetSpeakerEncoder  # noqa: PLC0415

        self.model = model_name(weights)
        self._settings = settings
        self._resample: Any = resample
        self._encoder, self._perceiver = (_under(part, weights) for part in (ENCODER, PERCEIVER))
        self._mel_means = weights[MEL_MEANS][None, :, None]
        self._mel: Any = MelSpectrogram(
            sample_rate=RATE_HZ, n_fft=2048, win_length=1024, hop_length=256, f_max=8000, n_mels=80, norm="slaney"
        )
        self._speaker: Any = ResNetSpeakerEncoder(
            input_dim=64,
            proj_dim=512,
            log_input=True,
            use_torch_spec=True,
            audio_config=SPECTRUM | {"sample_rate": SPEAKER_RATE_HZ},
        )
        try:
            self._speaker.load_state_dict(_under(SPEAKER_ENCODER, weights), assign=True)
        except RuntimeError:
            raise EngineError("the model's speaker encoder is not that of XTTS v2; get the model again") from None
        self._speaker.eval()

    def condition(self, speaker_id: str, samples: Samples, rate_hz: int) -> ClonedVoice:
        """The voice of `samples`, mono. Raises EngineError where there is too little of it, or nothing in it."""
        if len(samples) < rate_hz * LEAST_PIECE_S:
            raise EngineError(f"{len(samples) / rate_hz:.1f} s of speech are no voice; record 3 s and more")
        with torch.inference_mode():
            sound: Tensor = self._resample(torch.from_numpy(np.array(samples, np.float32))[None], rate_hz, RATE_HZ)
            references = self._references(sound.clip(-1, 1))
            latents = self._latents(torch.cat(references, 1))
            embedding = torch.stack([self._embedding(one) for one in references]).mean(0)
        arrays = [np.ascontiguousarray(each.numpy(), np.float32) for each in (latents, embedding)]
        if not all(np.isfinite(array).all() for array in arrays):
            raise EngineError("no voice can be made of this recording; is it silent? record it again")
        return ClonedVoice(speaker_id, *arrays)

    def _references(self, sound: Tensor) -> list[Tensor]:
        """What coqui-tts would be given as files: stretches as long as it listens to one."""
        stretches = _stretches(sound, self._settings.reference_s)
        kept = [one for one in stretches if one is stretches[0] or one.shape[1] >= RATE_HZ * LEAST_REFERENCE_S]
        if self._settings.equally_loud:
            kept = [one / one.abs().max() * LOUDNESS for one in kept]
        return kept

    def _embedding(self, sound: Tensor) -> Tensor:
        """(1, samples) → (512,), of length 1."""
        embedding: Tensor = self._speaker(self._resample(sound, RATE_HZ, SPEAKER_RATE_HZ), l2_norm=True)
        return embedding[0]

    def _latents(self, sound: Tensor) -> Tensor:
        """(1, samples) → (32, width): the mean over pieces of some seconds."""
        sound = sound[:, : RATE_HZ * self._settings.conditioning_s]
        pieces = _stretches(sound, self._settings.conditioning_piece_s)
        of_pieces = [self._latents_of(piece) for piece in pieces if piece.shape[1] >= RATE_HZ * LEAST_PIECE_S]
        return torch.stack(of_pieces).mean(0)

    def _latents_of(self, sound: Tensor) -> Tensor:
        mel = self._mel(sound).clamp(min=LEAST_MEL).log() / self._mel_means
        encoder = self._encoder
        image = functional.conv1d(mel, encoder["init.weight"], encoder["init.bias"])
        for number in range(BLOCKS):
            image = self._attend(f"attn.{number}", image)
        return self._perceive(image[0].T)

    def _attend(self, name: str, image: Tensor) -> Tensor:
        """(1, width, frames) → the same; what is added to is the normalized input, unlike in other transformers."""
        encoder, width, heads = self._encoder, self._settings.width, self._settings.heads
        normed = functional.group_norm(
            image, _groups(width), encoder[f"{name}.norm.weight"], encoder[f"{name}.norm.bias"]
        )
        mixed = functional.conv1d(normed, encoder[f"{name}.qkv.weight"], encoder[f"{name}.qkv.bias"])
        queries, keys, values = mixed.reshape(1, heads, -1, mixed.shape[-1]).transpose(2, 3).chunk(3, -1)
        heard = functional.scaled_dot_product_attention(queries, keys, values)
        heard = heard.transpose(2, 3).reshape(1, width, -1)
        return normed + functional.conv1d(heard, encoder[f"{name}.proj_out.weight"], encoder[f"{name}.proj_out.bias"])

    def _perceive(self, context: Tensor) -> Tensor:
        """(frames, width) → (32, width)."""
        perceiver = self._perceiver
        latents = perceiver["latents"]
        for number in range(LAYERS):
            name = f"layers.{number}"
            latents = latents + self._hear(f"{name}.0", latents, torch.cat((latents, context)))
            inner = functional.linear(latents, perceiver[f"{name}.1.0.weight"], perceiver[f"{name}.1.0.bias"])
            values, gates = inner.chunk(2, -1)
            inner = values * functional.gelu(gates)
            latents = latents + functional.linear(inner, perceiver[f"{name}.1.2.weight"], perceiver[f"{name}.1.2.bias"])
        normed: Tensor = functional.normalize(latents, dim=-1) * latents.shape[-1] ** 0.5 * perceiver["norm.gamma"]
        return normed

    def _hear(self, name: str, latents: Tensor, context: Tensor) -> Tensor:
        perceiver = self._perceiver
        queries = _heads(functional.linear(latents, perceiver[f"{name}.to_q.weight"]))
        keys, values = functional.linear(context, perceiver[f"{name}.to_kv.weight"]).chunk(2, -1)
        heard = functional.scaled_dot_product_attention(queries, _heads(keys), _heads(values))
        heard = heard.transpose(0, 1).flatten(1)
        return functional.linear(heard, perceiver[f"{name}.to_out.weight"])


def model_name(weights: Mapping[str, Tensor]) -> str:
    """Whose conditioning it is: of another model of the same kind, a voice on file would sound like nobody."""
    known = weights[f"{PERCEIVER}latents"].float().numpy().tobytes()
    return f"xtts-v2-{hashlib.sha256(known).hexdigest()[:8]}"


def _under(part: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(part): tensor for name, tensor in weights.items() if name.startswith(part)}


def _stretches(sound: Tensor, seconds: int) -> list[Tensor]:
    """(1, samples) cut into stretches of so many seconds; the last is what is left."""
    size = RATE_HZ * seconds
    return [sound[:, first : first + size] for first in range(0, sound.shape[1], size)]


def _heads(rows: Tensor) -> Tensor:
    """(n, heads · size) → (heads, n, size)."""
    return rows.reshape(len(rows), PERCEIVER_HEADS, PERCEIVER_HEAD_SIZE).transpose(0, 1)


def _groups(channels: int) -> int:
    """As coqui-tts groups them for normalization."""
    groups = 8 if channels <= 16 else 16 if channels <= 64 else 32
    while channels % groups:
        groups //= 2
    return groups
