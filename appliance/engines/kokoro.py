"""Kokoro-82M as a Synthesizer of Brazilian Portuguese, with phonemes from espeak-ng; its decoder runs in OpenVINO."""

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from piper import PhonemeType, PiperConfig, PiperVoice

from appliance.engines.onnx_session import InferenceSession, onnx_session
from appliance.engines.protocols import ClauseSizes, EngineError, Samples, Speech, covers

RATE_HZ = 24_000
# The voices in the file were made for Japanese; of them this one is understood best when it speaks Portuguese.
VOICE = "jm_kumo"
ORDINARY_SPEED = 1.25  # for Kokoro; at 1.0 this voice reads Portuguese slowly
GAIN = 0.6  # as loud as Piper's voice: -23 dB below full scale while it speaks
# Of phonemes in one go, as many as a number of 20 digits has: the decoder never gives back what the longest clause
# took, 0.25 GB for this many. Prices stay whole: with a pause in it, one is heard as two.
MOST_TOKENS = 192
PAD = 0
HOPS = 120  # of 5 samples, in one frame of 25 ms
# How often each input of the decoder has a value: style (never), text, pitch, loudness, glottal source.
VALUES_A_FRAME = (0, 1, 2, 2, HOPS)
# OpenVINO prepares itself for each length that it meets, which takes 0.1-0.4 s and 10-25 MB for good: lengths are
# rounded up, by less than 8 or than a sixth, and those of ordinary clauses (0.8-4.8 s) met while warming, the longest
# first: what it needs for its values serves the others, too.
STEPS_FRAMES = ((128, 8), (192, 16))  # up to so many frames, in such steps
LONG_STEP_FRAMES = 32  # only numbers take so long
WARM_FRAMES: tuple[int, ...] = (*range(192, 128, -16), *range(128, 24, -8))
# What OpenVINO keeps of what it has prepared, counted in parts of a model: about twice the lengths above.
MOST_PREPARED_PARTS = 1000
WARM_SPEED = 2.0  # shorter than any of them


class Kokoro:
    """0.04 s for each clause and 0.08 s for each second of it, on two cores of a Xeon with AMX (in CPU time, 0.13 s).

    Where the processor has no bfloat16 it takes four times as long, which is still no longer than ONNX Runtime took.
    Its process fills about 1 GB of memory, and does so before it is ready.
    """

    languages = frozenset({"pt-br"})
    clause_sizes = ClauseSizes(first_chars=20, longest_chars=60)
    most_streams = 1

    def __init__(self, folder: Path, threads: int) -> None:
        try:
            self._front = onnx_session(folder / "front.onnx", threads)
            self._tail = onnx_session(folder / "tail.onnx", threads)
            self._decoder = _decoder(folder / "decoder.onnx", threads)
            self._vocabulary: dict[str, int] = json.loads((folder / "vocab.json").read_text("utf-8"))["vocab"]
            with np.load(folder / "voices.npz") as voices:
                self._styles: Samples = voices[VOICE]  # (510, 1, 256): one style for each number of tokens
            self._phonemizer = _phonemizer(self._front)
        except Exception as error:  # the errors of onnxruntime and OpenVINO have no common base
            raise EngineError(f"Kokoro cannot be loaded from {folder}: {error}") from error

    def warm(self) -> None:
        inputs = self._decoder_inputs(self._tokens("É."), WARM_SPEED)
        for frames in WARM_FRAMES:
            self._decoder.infer(padded(inputs, frames))
        list(self.synthesize("Sim, claro.", "pt-br"))

    def synthesize(self, text: str, language: str, speed: float = 1.0) -> Iterator[Speech]:
        if not covers(self.languages, language):
            raise EngineError(f'Kokoro does not speak "{language}"')
        tokens = self._tokens(text)
        for piece in in_pieces(tokens, self._vocabulary[" "]):
            yield Speech(self._speak(piece, speed), RATE_HZ)

    def _tokens(self, text: str) -> list[int]:
        """The phonemes of `text` as numbers; those that Kokoro does not know are left out."""
        phonemes = " ".join("".join(sentence) for sentence in self._phonemizer.phonemize(text))
        # Decomposed, because the vocabulary has the tilde of a nasal vowel as a character of its own.
        return [self._vocabulary[p] for p in unicodedata.normalize("NFD", phonemes) if p in self._vocabulary]

    def _speak(self, tokens: list[int], speed: float) -> Samples:
        try:
            inputs = self._decoder_inputs(tokens, speed)
            frames = inputs[1].shape[-1]
            self._decoder.infer(padded(inputs, prepared_frames(frames)))
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


def in_pieces(tokens: list[int], space: int) -> Iterator[list[int]]:
    """Of MOST_TOKENS at most, about equally long, cut after a `space` where there is one."""
    while len(tokens) > MOST_TOKENS:
        wanted = len(tokens) / -(-len(tokens) // MOST_TOKENS)
        ends = [place + 1 for place, token in enumerate(tokens[:MOST_TOKENS]) if token == space]
        end = min(ends or [MOST_TOKENS], key=lambda end: abs(end - wanted))
        yield tokens[:end]
        tokens = tokens[end:]
    if tokens:
        yield tokens


def prepared_frames(frames: int) -> int:
    """The next length that the decoder is given, of few."""
    step = next((step for most, step in STEPS_FRAMES if frames <= most), LONG_STEP_FRAMES)
    return max(min(WARM_FRAMES), -(-frames // step) * step)


def padded(inputs: list[Samples], frames: int) -> list[Samples]:
    """The inputs of the decoder made `frames` long, or left if they are longer: they end in silence, which goes on."""
    more = max(0, frames - inputs[1].shape[-1])
    ends = (np.repeat(each[..., -1:], more * values, -1) for each, values in zip(inputs, VALUES_A_FRAME, strict=True))
    return [np.concatenate(pair, -1) for pair in zip(inputs, ends, strict=True)]


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
        "CPU_RUNTIME_CACHE_CAPACITY": MOST_PREPARED_PARTS,
    }
    return core.compile_model(path, "CPU", form).create_infer_request()


def _phonemizer(session: InferenceSession) -> PiperVoice:
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
