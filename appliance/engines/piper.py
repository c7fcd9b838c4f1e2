"""Piper as a Synthesizer of English, with the voice "joe"."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from piper import PiperConfig, PiperVoice, SynthesisConfig

from appliance.engines.onnx_session import onnx_session
from appliance.engines.protocols import ClauseSizes, EngineError, Speech, covers

VOICE = "en_US-joe-medium.onnx"


class Piper:
    """20 times as fast as speech on one core: whole sentences can wait for each other."""

    languages = frozenset({"en"})
    clause_sizes = ClauseSizes(first_chars=60, longest_chars=160)
    most_streams = 1

    def __init__(self, folder: Path, threads: int) -> None:
        try:
            # PiperVoice.load would start a thread on every core, all of them spinning.
            self._voice = PiperVoice(
                onnx_session(folder / VOICE, threads),
                PiperConfig.from_dict(json.loads((folder / f"{VOICE}.json").read_text("utf-8"))),
            )
        except Exception as error:  # onnxruntime's errors have no common base
            raise EngineError(f"Piper cannot be loaded from {folder}: {error}") from error

    def warm(self) -> None:
        for text in ("Yes.", "Good morning, how are you?"):
            list(self.synthesize(text, "en"))

    def synthesize(self, text: str, language: str, speed: float = 1.0) -> Iterator[Speech]:
        if not covers(self.languages, language):
            raise EngineError(f'Piper does not speak "{language}"')
        # Normalised, each sentence would be as loud as a telephone can be, and a whispered one as loud as a shout.
        manner = SynthesisConfig(length_scale=self._voice.config.length_scale / speed, normalize_audio=False)
        try:
            for sentence in self._voice.synthesize(text, manner):
                yield Speech(np.asarray(sentence.audio_float_array, np.float32), sentence.sample_rate)
        except Exception as error:
            raise EngineError(f"Piper failed on {text!r}: {error}") from error
