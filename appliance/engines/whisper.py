"""Whisper (through CTranslate2): whole utterances, or windows of many legs in a batch, padded as little as it bears."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel

from appliance.engines.protocols import EngineError, Hypothesis, Recognition, Samples, Window, Word, covers
from appliance.units import NS_PER_MS, SAMPLE_RATE_HZ

# Whisper was trained on windows of 30 s, 3000 features. Fewer take less time; below 1000 it loops.
WHOLE_FEATURES = 3000
SHORT_FEATURES = 1000
WINDOW_FEATURES = 800  # enough where loops are found, and the next window is not far
WINDOW_MARGIN = 200
MARGIN_FEATURES = 200  # silence after the last word, without which it loops, too
LONGEST_SAMPLES = 29 * SAMPLE_RATE_HZ
MOST_PROMPT_TOKENS = 32
ENCODED_FRAME_NS = 20 * NS_PER_MS
SPACE = "\u0120"  # how the byte-level vocabulary writes one
# What OpenAI's own decoder uses: silence is probable, and the text is a guess.
SILENCE_PROBABILITY = 0.6
GUESS_LOG_PROBABILITY = -1.0

LONGEST_PHRASE_WORDS = 8
MOST_REPEATS = 3  # "no, no, no" is speech; a fourth time round is a loop
FASTEST_WORDS_PER_S = 6.0  # auctioneers reach five


@dataclass(frozen=True, slots=True)
class _Attempt:
    text: str
    log_probability: float  # mean over its tokens
    silence_probability: float


@dataclass(frozen=True, slots=True)
class _WayOfWorking:
    """Where the model runs, and how a batch is shared out."""

    device: str
    index: int
    compute_type: str
    threads: int  # for each of those side by side
    side_by_side: int
    most_windows: int  # more of them cost as much each as these


def _way_of_working(device: str, threads: int) -> _WayOfWorking:
    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    kind, _, index = device.partition(":")
    if kind == "cuda":
        return _WayOfWorking(kind, int(index or 0), "float16", threads, side_by_side=1, most_windows=64)
    # Half of them: a thread that waits for one whose core a synthesizer holds costs more than it brings. A batch is
    # worth more: its halves are decoded side by side.
    for_each = max(1, threads // 2)
    return _WayOfWorking(kind, 0, "int8", for_each, side_by_side=max(1, threads // for_each), most_windows=4)


def _loaded(folder: Path, work: _WayOfWorking) -> WhisperModel:
    """Raises all sorts of things."""
    if not (folder / "model.bin").is_file():  # faster-whisper would look for a model of that name on the internet
        raise FileNotFoundError("there is no model.bin; convert one with ct2-transformers-converter")
    return WhisperModel(
        str(folder),
        device=work.device,
        device_index=work.index,
        compute_type=work.compute_type,
        cpu_threads=work.threads,
        num_workers=work.side_by_side,
        local_files_only=True,
    )


class Whisper:
    """Any Whisper model converted for CTranslate2; one without languages of its own (tiny.en) knows English only."""

    def __init__(self, folder: Path, threads: int, device: str = "cpu") -> None:
        """`device`: "cpu", "cuda", "cuda:1"; "auto": a GPU where there is one. Raises EngineError."""
        work = _way_of_working(device, threads)
        self.most_windows = work.most_windows
        self._side_by_side = work.side_by_side
        self._decoders = ThreadPoolExecutor(self._side_by_side, "whisper")
        try:
            self._model = _loaded(folder, work)
        except Exception as error:  # CTranslate2 raises RuntimeError, the tokenizer a bare Exception
            raise EngineError(f"Whisper cannot be loaded from {folder}: {error}") from error
        self._tokenizer = self._model.hf_tokenizer
        self._end_of_text = self._token("endoftext")
        self.languages = self._languages() if self._model.model.is_multilingual else frozenset({"en"})

    def warm(self) -> None:
        silence = np.zeros(SAMPLE_RATE_HZ, np.float32)
        self.recognize(silence, "en")
        self.decode([Window(silence, "en")])

    def recognize(self, samples: Samples, language: str) -> Recognition:
        if not covers(self.languages, language):
            raise EngineError(f'this Whisper model does not know the language "{language}"')
        speech = samples[:LONGEST_SAMPLES]
        speech_s = len(speech) / SAMPLE_RATE_HZ
        features = self._model.feature_extractor(speech)
        short = max(SHORT_FEATURES, features.shape[1] + MARGIN_FEATURES)
        for frames in (min(short, WHOLE_FEATURES), WHOLE_FEATURES):
            attempt = self._attempt(features, frames, language, speech_s)
            if believable(attempt.text.split(), speech_s):
                return Recognition("" if _is_silence(attempt) else attempt.text, language)
        return Recognition("", language)

    def _attempt(self, features: Samples, frames: int, language: str, speech_s: float) -> _Attempt:
        """Recognise once, with the features padded with silence to `frames`."""
        try:
            encoded = self._encoded([features], frames)
            (result,) = self._generated(encoded, [self._prompt(language)], speech_s)
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"Whisper failed on {speech_s:.1f} s of speech: {error}") from error
        text = self._tokenizer.decode(self._text_tokens(result)).strip()
        return _Attempt(text, result.scores[0], result.no_speech_prob)

    def decode(self, windows: Sequence[Window]) -> list[Hypothesis]:
        share = -(-len(windows) // self._side_by_side)
        parts = [windows[first : first + share] for first in range(0, len(windows), share)]
        if len(parts) == 1:
            return self._decoded(windows)
        return [hypothesis for part in self._decoders.map(self._decoded, parts) for hypothesis in part]

    def _decoded(self, windows: Sequence[Window]) -> list[Hypothesis]:
        """One batch on one of the model's workers."""
        features = [self._model.feature_extractor(window.samples[:LONGEST_SAMPLES]) for window in windows]
        lengths = [each.shape[1] for each in features]
        longest_s = max(len(window.samples) for window in windows) / SAMPLE_RATE_HZ
        try:
            encoded = self._encoded(features, max(WINDOW_FEATURES, max(lengths) + WINDOW_MARGIN))
            results = self._generated(encoded, self._prompts(windows), longest_s)
            tokens = [self._text_tokens(result) for result in results]
            timings = self._aligned(encoded, windows[0].language, tokens, lengths)
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"Whisper failed on {len(windows)} windows of speech: {error}") from error
        return [
            Hypothesis(self._words(said, starts_ns), result.no_speech_prob, result.scores[0])
            for said, starts_ns, result in zip(tokens, timings, results, strict=True)
        ]

    def language_probabilities(self, samples: Samples) -> dict[str, float]:
        if not self._model.model.is_multilingual:
            return {"en": 1.0}
        features = self._model.feature_extractor(samples[-LONGEST_SAMPLES:])
        try:
            encoded = self._encoded([features], min(WHOLE_FEATURES, max(WINDOW_FEATURES, features.shape[1])))
            (scores,) = self._model.model.detect_language(encoded)
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"Whisper could not tell the language: {error}") from error
        return {token.strip("<|>"): probability for token, probability in scores}

    def _encoded(self, features: Sequence[Samples], frames: int) -> ctranslate2.StorageView:
        """All of them, cut or padded with silence to `frames`."""
        padded = np.zeros((len(features), features[0].shape[0], frames), np.float32)
        for row, each in zip(padded, features, strict=True):
            taken = min(frames, each.shape[1])
            row[:, :taken] = each[:, :taken]
        return self._model.model.encode(ctranslate2.StorageView.from_array(padded))

    def _generated(self, encoded: ctranslate2.StorageView, prompts: list[list[int]], speech_s: float) -> list[Any]:
        results: list[Any] = self._model.model.generate(
            encoded,
            prompts,
            beam_size=1,
            max_length=len(prompts[0]) + 12 + int(7 * speech_s),  # tokens; fast speech has five a second
            return_scores=True,
            return_no_speech_prob=True,
        )
        return results

    def _text_tokens(self, result: Any) -> list[int]:
        return [token for token in result.sequences_ids[0] if token < self._end_of_text]

    def _aligned(
        self, encoded: ctranslate2.StorageView, language: str, tokens: list[list[int]], lengths: list[int]
    ) -> list[list[int]]:
        """For each text the time in ns at which each of its tokens begins, and that at which the last one ends.

        CTranslate2 takes one start sequence for all; another language than a text's own does not move its words.
        """
        spoken = [place for place, text in enumerate(tokens) if text]
        starts_ns: list[list[int]] = [[] for _ in tokens]
        if not spoken:
            return starts_ns
        # A text without tokens makes align fail, and an encoded row cannot be left out: it gets a token to be ignored.
        texts = [text or [self._end_of_text] for text in tokens]
        results = self._model.model.align(encoded, self._prompt(language)[:-1], texts, lengths)
        for place in spoken:
            starts_ns[place] = _token_starts_ns(results[place].alignments, len(tokens[place]))
        return starts_ns

    def _words(self, tokens: list[int], starts_ns: list[int]) -> tuple[Word, ...]:
        """Tokens put together into words: one begins with each token that begins with a space."""
        words: list[Word] = []
        begun = 0
        for here in range(1, len(tokens) + 1):
            if here == len(tokens) or self._begins_word(tokens[here]):
                text = self._tokenizer.decode(tokens[begun:here]).strip()
                if any(map(str.isalnum, text)):
                    words.append(Word(text, starts_ns[begun], starts_ns[here]))
                elif words:  # a dash between words, or three dots after them
                    words[-1] = Word(f"{words[-1].text} {text}".strip(), words[-1].start_ns, starts_ns[here])
                begun = here
        return tuple(words)

    def _begins_word(self, token: int) -> bool:
        return bool(self._tokenizer.id_to_token(token).startswith(SPACE))

    def _prompts(self, windows: Sequence[Window]) -> list[list[int]]:
        """What each generation begins with. CTranslate2 wants them equally long: as long as the shortest."""
        said = [self._text_ids(window.prompt) for window in windows]
        length = min(MOST_PROMPT_TOKENS, *map(len, said))
        starts = [self._prompt(window.language) for window in windows]
        if length == 0:
            return starts
        before = self._token("startofprev")
        return [[before, *each[-length:], *start] for each, start in zip(said, starts, strict=True)]

    def _prompt(self, language: str) -> list[int]:
        start, plain = self._token("startoftranscript"), self._token("notimestamps")
        if not self._model.model.is_multilingual:
            return [start, plain]
        return [start, self._token(language.partition("-")[0]), self._token("transcribe"), plain]

    def _text_ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(f" {text}", add_special_tokens=False).ids if text else []
        return ids

    def _token(self, name: str) -> int:
        number: int = self._tokenizer.token_to_id(f"<|{name}|>")
        return number

    def _languages(self) -> frozenset[str]:
        """The languages that the model has a token for: `<|pt|>`, between those for the start and for the tasks."""
        first, last = self._token("startoftranscript") + 1, self._token("translate")
        return frozenset(self._tokenizer.id_to_token(number).strip("<|>") for number in range(first, last))


def _token_starts_ns(alignments: Sequence[tuple[int, int]], count: int) -> list[int]:
    """When each of `count` tokens begins, and after them when the last one ends; alignments: (token, encoded frame)."""
    last_frame = alignments[-1][1] if alignments else 0
    first_frames = dict(reversed(alignments))
    return [ENCODED_FRAME_NS * first_frames.get(token, last_frame) for token in range(count + 1)]


def _is_silence(attempt: _Attempt) -> bool:
    """Whether the text is what Whisper makes up where nobody speaks: ".", or with little confidence "Thank you."."""
    if not any(map(str.isalnum, attempt.text)):
        return True
    return attempt.silence_probability > SILENCE_PROBABILITY and attempt.log_probability < GUESS_LOG_PROBABILITY


def believable(words: Sequence[str], speech_s: float) -> bool:
    """Whether somebody may have said that in `speech_s` seconds: not too much for the time, and not in a loop.

    A loop is a phrase of up to LONGEST_PHRASE_WORDS words that stands more than MOST_REPEATS times in a row; a single
    word may stand twice as often ("ha ha ha ha ha"): people do say that, and nothing is lost by keeping it.
    """
    plain = [word.strip(".,;:!?…").lower() for word in words]
    too_many = len(words) > 1 + FASTEST_WORDS_PER_S * speech_s
    return not too_many and not any(_loops(plain, size) for size in range(1, LONGEST_PHRASE_WORDS + 1))


def _loops(words: Sequence[str], size: int) -> bool:
    """Whether a phrase of exactly `size` words stands too often in a row."""
    repeats = MOST_REPEATS * 2 if size == 1 else MOST_REPEATS
    run = 0  # words in a row that equal the one `size` places before them
    for here in range(size, len(words)):
        run = run + 1 if words[here] == words[here - size] else 0
        if run >= size * repeats:
            return True
    return False
