"""Coqui's model with weights so large that every text and every voice is spoken differently, and ours with the same.

Weights as they are first drawn are so small that all texts begin with the same tokens; nothing would be noticed then.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from appliance.bench.xtts_weights import reference
from appliance.xtts.gpt import Gpt
from appliance.xtts.sampling import Sampling
from appliance.xtts.settings import read_settings

TEXTS = (
    ("Sim.", "pt"),
    ("Where is the station?", "en"),
    ("Olá, tudo bem com você hoje?", "pt"),
    ("Je voudrais réserver une table pour deux personnes.", "fr"),
    ("Guten Tag, mein Name ist Schmidt, und ich rufe wegen der Rechnung vom letzten Montag an.", "de"),
    ("No.", "es"),
    ("Il treno per Milano parte fra dieci minuti dal binario quattro.", "it"),
    (
        "Thank you very much for your call; I have looked into it, and we will send somebody to your house on Tuesday, "
        "between nine and eleven in the morning, if that suits you and your neighbours.",
        "en",
    ),
)


@dataclass(frozen=True)
class Reference:
    """Coqui's model, two voices for it, and our own network of the same weights."""

    model: Any
    voices: Sequence[torch.Tensor]  # (latents, width)
    gpt: Gpt

    def tokens(self, text: str, language: str) -> list[int]:
        """The text as coqui's tokenizer reads it, without start and stop."""
        tokens: list[int] = self.model.tokenizer.encode(text.strip().lower(), lang=language)
        return tokens

    def spoken(self, text: str, language: str, voice: int, sampling: Sampling) -> Iterator[tuple[int, torch.Tensor]]:
        """What coqui's `inference_stream` gets from the generator it iterates: tokens and latents."""
        gpt = self.model.gpt
        tokens = torch.tensor([self.tokens(text, language)], dtype=torch.int32)
        with torch.inference_mode():
            generator = gpt.get_generator(
                fake_inputs=gpt.compute_embeddings(self.voices[voice][None], tokens),
                top_k=sampling.top_k,
                top_p=sampling.top_p,
                temperature=sampling.temperature,
                repetition_penalty=sampling.repetition_penalty,
                do_sample=True,
                num_beams=1,
                num_return_sequences=1,
                length_penalty=1.0,
                output_attentions=False,
                output_hidden_states=True,
                return_dict_in_generate=True,
            )
            for token, latent in generator:
                yield int(token), latent[0]


def make_reference(folder: Path) -> Reference:
    """From a checkpoint, its language model shaken; always the same."""
    model = reference(folder)
    torch.manual_seed(7)
    with torch.no_grad():
        for name, weight in model.gpt.named_parameters():
            if name.startswith("gpt.h.") and weight.dim() > 1:
                weight.mul_(15)
            elif "pos_embedding" in name:
                weight.mul_(30)
        model.gpt.mel_head.bias[model.gpt.stop_audio_token] -= 0.3  # some still end early
    gpt = Gpt(model.state_dict(), read_settings(folder), torch.device("cpu"))
    return Reference(model, [torch.randn(32, model.gpt.model_dim) for _ in range(2)], gpt)
