"""A small random NLLB-200 in the layout that ct2-transformers-converter makes, without torch and transformers."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import sentencepiece
from ctranslate2 import specs

SENTENCES = [
    "hello how are you today",
    "olá como você está hoje",
    "good morning my friend",
    "bom dia meu amigo",
    "i would like to book a table for two",
    "eu gostaria de reservar uma mesa para dois",
]
LANGUAGES = ["eng_Latn", "por_Latn", "spa_Latn"]
WIDTH, INNER, LAYERS, HEADS, POSITIONS = 32, 64, 2, 4, 1024


def make_nllb(folder: Path) -> None:
    """Write model.bin, config.json, shared_vocabulary.json and sentencepiece.bpe.model."""
    folder.mkdir(parents=True, exist_ok=True)
    pieces = _train_pieces(folder)
    # As in the published model: the special tokens of fairseq, the pieces, the languages, <mask>.
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", *pieces, *LANGUAGES, "<mask>"]
    spec = specs.TransformerSpec.from_config(LAYERS, HEADS, pre_norm=True)
    _fill(spec, len(vocabulary), np.random.default_rng(0))
    spec.register_source_vocabulary(vocabulary)
    spec.register_target_vocabulary(vocabulary)
    spec.config.bos_token, spec.config.eos_token, spec.config.unk_token = "<s>", "</s>", "<unk>"
    spec.config.decoder_start_token = "</s>"
    spec.validate()
    spec.optimize(quantization="int8")
    spec.save(str(folder))


def _train_pieces(folder: Path) -> list[str]:
    prefix = folder / "sentencepiece.bpe"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 50),
        model_prefix=str(prefix),
        vocab_size=120,
        model_type="bpe",
        hard_vocab_limit=False,
        minloglevel=2,
    )
    prefix.with_suffix(".bpe.vocab").unlink()
    processor = sentencepiece.SentencePieceProcessor(str(folder / "sentencepiece.bpe.model"))
    first_piece = 3  # after <unk>, <s> and </s>
    return [processor.id_to_piece(number) for number in range(first_piece, processor.vocab_size())]


def _fill(spec: specs.TransformerSpec, vocabulary_size: int, random: np.random.Generator) -> None:
    """Random weights; the word embeddings are one matrix, as in the published model."""
    words = random.normal(0, 0.5, (vocabulary_size, WIDTH)).astype(np.float32)
    positions = random.normal(0, 0.1, (POSITIONS, WIDTH)).astype(np.float32)
    spec.encoder.embeddings[0].weight = spec.decoder.embeddings.weight = spec.decoder.projection.weight = words
    for stack in (spec.encoder, spec.decoder):
        stack.position_encodings.encodings = positions
        stack.scale_embeddings = True
        _fill_norm(stack.layer_norm)
        for layer in stack.layer:
            for linear, norm in _parts(layer):
                _fill_norm(norm)
                for part, outputs, inputs in linear:
                    part.weight = random.normal(0, 0.2, (outputs, inputs)).astype(np.float32)
                    part.bias = np.zeros(outputs, np.float32)


def _parts(layer: specs.LayerSpec) -> Iterator[tuple[list[tuple[specs.LayerSpec, int, int]], specs.LayerSpec]]:
    """The linear parts of a layer, with their outputs and inputs, and the norm before them."""
    own = layer.self_attention
    yield [(own.linear[0], 3 * WIDTH, WIDTH), (own.linear[1], WIDTH, WIDTH)], own.layer_norm
    if hasattr(layer, "attention"):
        other = layer.attention
        sizes = (WIDTH, 2 * WIDTH, WIDTH)  # query, key and value, output
        yield [(part, size, WIDTH) for part, size in zip(other.linear, sizes, strict=True)], other.layer_norm
    inner = layer.ffn
    yield [(inner.linear_0, INNER, WIDTH), (inner.linear_1, WIDTH, INNER)], inner.layer_norm


def _fill_norm(norm: specs.LayerSpec) -> None:
    norm.gamma, norm.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
