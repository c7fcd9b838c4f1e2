"""The converted Kokoro: what its decoder is made of, and that it speaks as the published model does."""

import hashlib
import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from msgspec.structs import replace

from appliance.config import Config
from appliance.engines.kokoro import (
    GAIN,
    HOPS,
    MOST_TOKENS,
    ORDINARY_SPEED,
    PAD,
    RATE_HZ,
    WARM_FRAMES,
    Kokoro,
    in_pieces,
    padded,
    prepared_frames,
)
from appliance.engines.kokoro_graph import convert
from appliance.engines.model_files import assemble, manifest
from appliance.engines.protocols import EngineError, Samples
from appliance.engines.registry import load_synthesizer

SENTENCE = "Vou verificar com o meu gerente."
PUBLISHED = replace(manifest()["kokoro"], files=manifest()["kokoro"].sources, sources=(), converter="")


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the published model and what is made of it."""
    folder = assemble(PUBLISHED, tmp_path_factory.mktemp("published"))
    convert(folder)
    return folder


@pytest.fixture(scope="module")
def kokoro() -> Kokoro:
    return Kokoro(assemble(manifest()["kokoro"], Config().cache_dir), threads=2)


def test_the_conversion_makes_exactly_the_bytes_of_the_manifest(converted: Path) -> None:
    for file in manifest()["kokoro"].files:
        if not file.parts:
            content = (converted / file.name).read_bytes()
            assert (len(content), hashlib.sha256(content).hexdigest()) == (file.bytes, file.sha256), file.name


def test_no_integers_and_nothing_that_openvino_is_slow_at_are_left_in_the_decoder(converted: Path) -> None:
    before, after = (
        Counter(node.op_type for node in onnx.load(converted / name).graph.node)
        for name in ("model.onnx", "decoder.onnx")
    )
    slow = {"ConvInteger", "MatMulInteger", "DynamicQuantizeLinear", "Sin", "ReduceMean", "Split"}
    assert slow <= set(before)
    assert not slow & set(after)
    assert after["InstanceNormalization"] == 58  # ten in five blocks, and six in each of eight
    assert after["ConvTranspose"] == 1  # each channel for itself: nothing for a matrix unit


def loudness(samples: Samples) -> Samples:
    """The logarithm of the power in each 20 ms and each band of 500 Hz."""
    windows = samples[: len(samples) // 480 * 480].reshape(-1, 480) * np.hanning(480)
    power = np.abs(np.fft.rfft(windows))[:, :240] ** 2
    logarithms: Samples = np.log(power.reshape(len(windows), 24, 10).sum(-1) + 1e-3)
    return logarithms


def test_it_speaks_as_the_published_model_does(converted: Path, kokoro: Kokoro) -> None:
    (speech,) = kokoro.synthesize(SENTENCE, "pt-br")
    tokens = kokoro._tokens(SENTENCE)
    session = onnxruntime.InferenceSession(converted / "model.onnx", providers=["CPUExecutionProvider"])
    inputs = {
        "tokens": np.array([[PAD, *tokens, PAD]], np.int64),
        "style": kokoro._styles[len(tokens) - 1],
        "speed": np.array([ORDINARY_SPEED], np.float32),
    }
    published = session.run(None, inputs)[0].ravel() * GAIN
    assert len(speech.samples) == len(published) > RATE_HZ
    ours, theirs = loudness(speech.samples).ravel(), loudness(published).ravel()
    assert np.corrcoef(ours, theirs)[0, 1] > 0.98
    assert abs(np.mean(ours - theirs)) < 0.2


def test_the_inputs_of_the_decoder_are_made_longer_by_what_they_end_with() -> None:
    frames = 5
    lengths = (frames, 2 * frames, 2 * frames, HOPS * frames + 1)
    inputs = [np.ones((1, 128), np.float32)] + [np.arange(n, dtype=np.float32)[None, None] for n in lengths]
    longer = padded(inputs, 8)
    assert [each.shape[-1] for each in longer] == [128, 8, 16, 16, HOPS * 8 + 1]
    for before, after in zip(inputs, longer, strict=True):
        assert (after[..., : before.shape[-1]] == before).all()
        assert (after[..., before.shape[-1] :] == before[..., -1:]).all()
    assert [each.shape for each in padded(inputs, 4)] == [each.shape for each in inputs]


SPACE = 16
WORD = [*range(40, 49), SPACE]


@pytest.mark.parametrize(
    ("tokens", "lengths"),
    [
        ([], []),
        (WORD * 19, [190]),
        (WORD * 28, [140, 140]),
        (WORD * 45, [150, 150, 150]),
        ([40] * 400, [192, 192, 16]),
    ],
)
def test_a_long_number_is_spoken_in_pieces_of_whole_words(tokens: list[int], lengths: list[int]) -> None:
    pieces = list(in_pieces(tokens, SPACE))
    assert [len(piece) for piece in pieces] == lengths
    assert [token for piece in pieces for token in piece] == tokens


def test_no_price_is_cut_and_a_number_without_end_is(kokoro: Kokoro) -> None:
    assert len(kokoro._tokens("O preço total é de R$ 1.234.567,89,")) <= MOST_TOKENS
    assert len(kokoro._tokens("2039485761029384756120394857")) > MOST_TOKENS


def test_the_decoder_is_given_few_lengths_and_those_of_ordinary_clauses_are_warm() -> None:
    made = {frames: prepared_frames(frames) for frames in range(1, 1601)}
    assert {made[frames] for frames in range(1, 193)} == set(WARM_FRAMES)
    assert list(WARM_FRAMES) == sorted(WARM_FRAMES, reverse=True), "the longest comes first"
    assert all(0 <= longer - frames < max(8, frames / 6) for frames, longer in made.items() if frames > 24)
    assert len(set(made.values())) == len(WARM_FRAMES) + (1600 - 192) // 32


def machine_code_kb() -> int:
    """Of this process: what libraries have written for themselves."""
    found, is_code = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            is_code = " rwxp " in line
        elif is_code and line.startswith("Rss:"):
            found += int(line.split()[1])
    return found


def test_once_it_is_warm_no_ordinary_clause_is_prepared_for(kokoro: Kokoro) -> None:
    cold_kb = machine_code_kb()
    kokoro.warm()
    warm_kb = machine_code_kb()
    assert warm_kb > cold_kb
    for text in ("Sim.", "Bom dia, eu gostaria", SENTENCE, "Todos os nossos atendentes estão ocupados no momento,"):
        list(kokoro.synthesize(text, "pt-br"))
    assert machine_code_kb() == warm_kb


def test_where_a_library_cannot_be_loaded_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delitem(sys.modules, "appliance.engines.kokoro")
    with pytest.raises(EngineError, match=r'engine "kokoro" cannot run here \(.*openvino.*\); run make setup'):
        load_synthesizer("kokoro", Config())


def test_a_model_that_openvino_cannot_read_is_named(converted: Path, tmp_path: Path) -> None:
    for name in ("front.onnx", "tail.onnx"):
        (tmp_path / name).symlink_to(converted / name)
    (tmp_path / "decoder.onnx").write_bytes(b"no model")
    with pytest.raises(EngineError, match=f"Kokoro cannot be loaded from {tmp_path}"):
        Kokoro(tmp_path, threads=1)
