"""Kokoro-82M as a Synthesizer of Brazilian Portuguese, with phonemes from espeak-ng."""

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
from piper import PhonemeType, PiperConfig, PiperVoice

from appliance.engines.protocols import ClauseSizes, EngineError, Samples, Speech, covers

RATE_HZ = 24_000
# The voices in the file were made for Japanese; of them this one is understood best when it speaks Portuguese.
VOICE = "jm_kumo"
ORDINARY_SPEED = 1.15  # for Kokoro; at 1.0 this voice reads Portuguese slowly
GAIN = 0.6  # as loud as Piper's voice: -23 dB below full scale while it speaks
MOST_TOKENS = 510
PAD = 0


class Kokoro:
    """0.2 s for each clause and 0.35 s for each second of it, on two cores: the first clause has to be short."""

    languages = frozenset({"pt-br"})
    clause_sizes = ClauseSizes(first_chars=20, longest_chars=60)

    def __init__(self, folder: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Threads that spin while they wait would take the core that the recognizer needs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                folder / "model.onnx", options, providers=["CPUExecutionProvider"]
            )
            self._vocabulary: dict[str, int] = json.loads((folder / "vocab.json").read_text("utf-8"))["vocab"]
            with np.load(folder / "voices.npz") as voices:
                self._styles: Samples = voices[VOICE]  # (510, 1, 256): one style for each number of tokens
            self._phonemizer = _phonemizer(self._session)
        except Exception as error:  # onnxruntime's errors have no common base
            raise EngineError(f"Kokoro cannot be loaded from {folder}: {error}") from error

    def warm(self) -> None:
        for text in ("Sim, claro.", "Bom dia, como vai?"):
            list(self.synthesize(text, "pt-br"))

    def synthesize(self, text: str, language: str, speed: float = 1.0) -> Iterator[Speech]:
        if not covers(self.languages, language):
            raise EngineError(f'Kokoro does not speak "{language}"')
        tokens = self._tokens(text)
        for first in range(0, len(tokens), MOST_TOKENS):
            yield Speech(self._speak(tokens[first : first + MOST_TOKENS], speed), RATE_HZ)

    def _tokens(self, text: str) -> list[int]:
        """The phonemes of `text` as numbers; those that Kokoro does not know are left out."""
        phonemes = " ".join("".join(sentence) for sentence in self._phonemizer.phonemize(text))
        # Decomposed, because the vocabulary has the tilde of a nasal vowel as a character of its own.
        return [self._vocabulary[p] for p in unicodedata.normalize("NFD", phonemes) if p in self._vocabulary]

    def _speak(self, tokens: list[int], speed: float) -> Samples:
        try:
            (samples, *_) = self._session.run(
                None,
                {
                    "tokens": np.array([[PAD, *tokens, PAD]], np.int64),
                    "style": self._styles[len(tokens) - 1],
                    "speed": np.array([speed * ORDINARY_SPEED], np.float32),
                },
            )
        except Exception as error:
            raise EngineError(f"Kokoro failed on a clause of {len(tokens)} phonemes: {error}") from error
        return np.asarray(samples, np.float32).ravel() * np.float32(GAIN)


def _phonemizer(session: onnxruntime.InferenceSession) -> PiperVoice:
    """Piper's way to espeak-ng, of which there is one in a process.

    A phonemizer of our own would initialise espeak-ng once more. That frees the phoneme tables, and espeak-ng 1.52
    goes on reading the freed ones: seen in a core dump, and with freed memory filled.
    """
    return PiperVoice(
        session,
        PiperConfig(
            num_symbols=0,
            num_speakers=1,
            sample_rate=RATE_HZ,
            espeak_voice="pt-br",
            phoneme_id_map={},
            phoneme_type=PhonemeType.ESPEAK,
        ),
    )
