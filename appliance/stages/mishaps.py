"""What an engine does that its protocol does not allow: an error of its own, so that it costs nobody else anything.

Without this, one sentence that an engine stumbles over would be read again by each new process, and end it.
"""

import sys
import traceback
from collections.abc import Iterator, Sequence
from math import isfinite

import numpy as np

from appliance.engines.protocols import EngineError, Hypothesis, Speech

LONGEST_ANSWER = 20  # times as long as what was asked …
SHORT_CHARS = 200  # … or this long
SLOWEST_HZ, FASTEST_HZ = 4_000, 192_000


def as_engine_error(name: str, error: Exception) -> EngineError:
    """What went wrong in the engine `name`, in a sentence; where only its authors can tell more, they find a trace."""
    if isinstance(error, EngineError):
        return error
    traceback.print_exception(error, file=sys.stderr)  # the watchdog reads it into the log
    said = str(error).partition("\n")[0]
    return EngineError(f"{name} broke off ({type(error).__name__}{': ' if said else ''}{said})")


def text_of(name: str, answer: object, asked: str) -> str:
    """An answer that can be the translation of `asked`. Raises EngineError."""
    longest = max(SHORT_CHARS, LONGEST_ANSWER * len(asked))
    if not isinstance(answer, str) or len(answer) > longest or not _is_text(answer):
        raise EngineError(f"{name} has answered with something that cannot be a translation")
    return answer


def sound_of(name: str, pieces: Iterator[Speech]) -> Iterator[Speech]:
    """Pieces that can be played. Raises EngineError."""
    for piece in pieces:
        samples = np.asarray(piece.samples)
        is_sound = samples.ndim == 1 and np.issubdtype(samples.dtype, np.floating) and np.isfinite(samples).all()
        if not is_sound or not SLOWEST_HZ <= piece.rate_hz <= FASTEST_HZ:
            raise EngineError(f"{name} has answered with something that is no sound")
        yield piece


def hypotheses_of(name: str, answers: Sequence[Hypothesis], windows: int) -> Sequence[Hypothesis]:
    """One hypothesis for each window, of words with times that can be. Raises EngineError."""
    if len(answers) != windows or not all(_can_be(answer) for answer in answers):
        raise EngineError(f"{name} has answered with something that nobody can have said")
    return answers


def _can_be(answer: Hypothesis) -> bool:
    doubts = (answer.no_speech, answer.log_probability, *(word.confidence for word in answer.words))
    return all(isfinite(doubt) for doubt in doubts) and all(
        _is_text(word.text) and isfinite(word.start_ns) and isfinite(word.end_ns) and word.start_ns >= 0
        for word in answer.words
    )


def _is_text(text: str) -> bool:
    """Half a surrogate pair is none: no message could carry it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
