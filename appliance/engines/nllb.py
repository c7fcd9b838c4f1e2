"""NLLB-200 as a Translator through CTranslate2, from a folder converted with ct2-transformers-converter."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import ctranslate2
import sentencepiece

from appliance.engines.languages import NLLB_CODES, all_pairs, pair_for
from appliance.engines.protocols import EngineError, EngineRefused, Option, TranslationRequest

LICENCE = "CC-BY-NC-4.0"
END = "</s>"
MOST_PIECES = 512  # what the model was trained with
BEAMS = 2


@dataclass(frozen=True, slots=True)
class NllbSettings:
    """Where the model is. `accepted_licence` is the operator's word that its licence is kept."""

    folder: Path  # model.bin, config.json, shared_vocabulary.json and sentencepiece.bpe.model
    accepted_licence: str = ""
    device: str = "cpu"
    threads: int = 2


class Nllb:
    """One sentence at a time, without context; it can be made to go on from a given beginning of the translation."""

    licence = LICENCE
    options: frozenset[Option] = frozenset({"target_prefix"})

    def __init__(self, settings: NllbSettings) -> None:
        if settings.accepted_licence != LICENCE:
            raise EngineRefused(
                f"NLLB-200 may not be used commercially (its licence is {LICENCE}); "
                f'if that is kept, write cloud.nllb.accepted_licence = "{LICENCE}"'
            )
        try:
            self._pieces = sentencepiece.SentencePieceProcessor(str(settings.folder / "sentencepiece.bpe.model"))
            vocabulary = set(json.loads((settings.folder / "shared_vocabulary.json").read_text("utf-8")))
            self._model = ctranslate2.Translator(
                str(settings.folder), device=settings.device, intra_threads=settings.threads
            )
        except (OSError, RuntimeError, ValueError) as error:
            raise EngineError(f"NLLB-200 cannot be loaded from {settings.folder}: {error}") from error
        self._codes: Mapping[str, str] = {tag: code for tag, code in NLLB_CODES.items() if code in vocabulary}
        self.pairs = all_pairs(self._codes)

    def warm(self) -> None:
        source, target = min(self.pairs)
        self.translate("1", source, target)

    def translate(self, text: str, source: str, target: str) -> str:
        return self.translate_request(TranslationRequest(text, "", 0, False, source, target))

    def translate_request(self, request: TranslationRequest) -> str:
        pair = pair_for(self.pairs, request.source_lang, request.target_lang)
        if pair is None:
            raise EngineError(f'NLLB-200 does not translate from "{request.source_lang}" to "{request.target_lang}"')
        if not request.text.strip():
            return request.target_prefix
        source, target = (self._codes[tag] for tag in pair)
        pieces = self._pieces.encode(request.text, out_type=str)[: MOST_PIECES - 2]
        prefix = self._pieces.encode(request.target_prefix, out_type=str)[: MOST_PIECES // 2]
        try:
            (answer,) = self._model.translate_batch(
                [[source, *pieces, END]],
                target_prefix=[[target, *prefix]],
                beam_size=BEAMS,
                max_decoding_length=min(len(prefix) + 2 * len(pieces) + 16, MOST_PIECES),
                disable_unk=True,
                no_repeat_ngram_size=4,  # it may loop on what it does not understand
            )
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"NLLB-200 failed: {error}") from error
        languages = set(self._codes.values())  # it may name one again where it is at a loss
        text: str = self._pieces.decode([piece for piece in answer.hypotheses[0] if piece not in languages])
        return text.strip()
