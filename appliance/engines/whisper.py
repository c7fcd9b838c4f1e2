"""Whisper (through CTranslate2) as a Recognizer: whole utterances, forced language, no longer padding than needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel

from appliance.engines.protocols import EngineError, Recognition, Samples, covers
from appliance.units import SAMPLE_RATE_HZ

# Whisper was trained on windows of 30 s, 3000 features. Fewer take less time; below 1000 it loops.
WHOLE_FEATURES = 3000
SHORT_FEATURES = 1000
MARGIN_FEATURES = 200  # silence after the last word, without which it loops, too
LONGEST_S = 29.0
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


class Whisper:
    """Any Whisper model converted for CTranslate2; one without languages of its own (tiny.en) knows English only."""

    def __init__(self, folder: Path, threads: int) -> None:
        # Half of them: a thread that waits for one whose core a synthesizer holds costs more than it brings.
        threads = max(1, threads // 2)
        try:
            self._model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=threads)
        except Exception as error:  # CTranslate2 raises RuntimeError, the tokenizer a bare Exception
            raise EngineError(f"Whisper cannot be loaded from {folder}: {error}") from error
        self._tokenizer = self._model.hf_tokenizer
        self._end_of_text = self._token("endoftext")
        self.languages = self._languages() if self._model.model.is_multilingual else frozenset({"en"})

    def warm(self) -> None:
        self.recognize(np.zeros(SAMPLE_RATE_HZ, np.float32), "en")

    def recognize(self, samples: Samples, language: str) -> Recognition:
        if not covers(self.languages, language):
            raise EngineError(f'this Whisper model does not know the language "{language}"')
        speech = samples[: int(LONGEST_S * SAMPLE_RATE_HZ)]
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
        padded = np.zeros((1, features.shape[0], frames), np.float32)
        taken = min(frames, features.shape[1])
        padded[0, :, :taken] = features[:, :taken]
        try:
            encoded = self._model.model.encode(ctranslate2.StorageView.from_array(padded))
            (result,) = self._model.model.generate(
                encoded,
                [self._prompt(language)],
                beam_size=1,
                max_length=12 + int(7 * speech_s),  # tokens; fast speech has five a second
                return_scores=True,
                return_no_speech_prob=True,
            )
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"Whisper failed on {speech_s:.1f} s of speech: {error}") from error
        tokens = [token for token in result.sequences_ids[0] if token < self._end_of_text]
        return _Attempt(self._tokenizer.decode(tokens).strip(), result.scores[0], result.no_speech_prob)

    def _prompt(self, language: str) -> list[int]:
        start, plain = self._token("startoftranscript"), self._token("notimestamps")
        if not self._model.model.is_multilingual:
            return [start, plain]
        return [start, self._token(language.partition("-")[0]), self._token("transcribe"), plain]

    def _token(self, name: str) -> int:
        number: int = self._tokenizer.token_to_id(f"<|{name}|>")
        return number

    def _languages(self) -> frozenset[str]:
        """The languages that the model has a token for: `<|pt|>`, between those for the start and for the tasks."""
        first, last = self._token("startoftranscript") + 1, self._token("translate")
        return frozenset(self._tokenizer.id_to_token(number).strip("<|>") for number in range(first, last))


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
