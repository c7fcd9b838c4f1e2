"""Kokoro-82M as a Synthesizer of Brazilian Portuguese, with phonemes from espeak-ng; its decoder runs in OpenVINO."""

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import openvino
from piper import PhonemeType, PiperConfig, PiperVoice

from appliance.engines.protocols import ClauseSizes, EngineError, Samples, Speech, covers

RATE_HZ = 24_000
# The voices in the file were made for Japanese; of them this one is understood best when it speaks Portuguese.
VOICE = "jm_kumo"
ORDINARY_SPEED = 1.2  # for Kokoro; at 1.0 this voice reads Portuguese slowly
GAIN = 0.6  # as loud as Piper's voice: -23 dB below full scale while it speaks
MOST_TOKENS = 510
PAD = 0
HOPS = 120  # of 5 samples, in one frame of 25 ms
# How often each input of the decoder has a value: style (never), text, pitch, loudness, glottal source.
VALUES_A_FRAME = (0, 1, 2, 2, HOPS)
# OpenVINO prepares itself for each length that it meets, which takes 0.1-0.4 s: lengths are rounded up, and the usual
# ones met while warming.
STEP_FRAMES = 8
WARM_FRAMES = range(48, 129, STEP_FRAMES)  # clauses of 1.2-3.2 s


class Kokoro:
    """0.04 s for each clause and 0.08 s for each second of it, on two cores of a Xeon with AMX (in CPU time, 0.13 s).

    Where the processor has no bfloat16 it takes four times as long, which is still no longer than ONNX Runtime took.
    Its process fills about 1 GB of memory.
    """

    languages = frozenset({"pt-br"})
    clause_sizes = ClauseSizes(first_chars=20, longest_chars=60)
    most_streams = 1

    def __init__(self, folder: Path, threads: int) -> None:
        try:
            self._front = _session(folder / "front.onnx", threads)
            self._tail = _session(folder / "tail.onnx", threads)
            self._decoder = _decoder(folder / "decoder.onnx", threads)
            self._vocabulary: dict[str, int] = json.loads((folder / "vocab.json").read_text("utf-8"))["vocab"]
            with np.load(folder / "voices.npz") as voices:
                self._styles: Samples = voices[VOICE]  # (510, 1, 256): one style for each number of tokens
            self._phonemizer = _phonemizer(self._front)
        except Exception as error:  # the errors of onnxruntime and OpenVINO have no common base
            raise EngineError(f"Kokoro cannot be loaded from {folder}: {error}") from error

    def warm(self) -> None:
        list(self.synthesize("Sim, claro.", "pt-br"))
        inputs = self._decoder_inputs(self._tokens("Sim, claro."), 1.0)
        for frames in WARM_FRAMES:
            self._decoder.infer(padded(inputs, frames))

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
            inputs = self._decoder_inputs(tokens, speed)
            frames = inputs[1].shape[-1]
            self._decoder.infer(padded(inputs, -(-frames // STEP_FRAMES) * STEP_FRAMES))
            spectrum = self._decoder.get_output_tensor().data[..., : frames * HOPS + 1]
            (samples,) = self._tail.run(None, {self._tail.get_inputs()[0].name: np.ascontiguousarray(spectrum)})
        except Exception as error:
            raise EngineError(f"Kokoro failed on a clause of {len(tokens)} phonemes: {error}") from error
        return np.asarray(samples, np.float32).ravel() * np.float32(GAIN)

    def _decoder_inputs(self, tokens: list[int], speed: float) -> list[Samples]:
        """Style, text, pitch, loudness and glottal source; the last four have time as their last axis."""
        outputs: list[Samples] = self._front.run(
            None,
            {
                "tokens": np.array([[PAD, *tokens, PAD]], np.int64),
                "style": self._styles[len(tokens) - 1],
                "speed": np.array([speed * ORDINARY_SPEED], np.float32),
            },
        )
        return outputs


def padded(inputs: list[Samples], frames: int) -> list[Samples]:
    """The inputs of the decoder made `frames` long, or left if they are longer: they end in silence, which goes on."""
    more = max(0, frames - inputs[1].shape[-1])
    ends = (np.repeat(each[..., -1:], more * values, -1) for each, values in zip(inputs, VALUES_A_FRAME, strict=True))
    return [np.concatenate(pair, -1) for pair in zip(inputs, ends, strict=True)]


def _session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that spin while they wait would take the core that the recognizer needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _decoder(path: Path, threads: int) -> Any:
    """The decoder, ready for a request: in bfloat16 where the processor computes with it."""
    core = openvino.Core()
    able = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    form = {
        "INFERENCE_PRECISION_HINT": "bf16" if able else "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        # A thread bound to a core waits there while the recognizer has it: that took twice the time.
        "ENABLE_CPU_PINNING": False,
    }
    return core.compile_model(path, "CPU", form).create_infer_request()


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
