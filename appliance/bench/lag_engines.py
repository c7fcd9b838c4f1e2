"""Whether the engines of a configuration can do what `bench lag` is asked to measure."""

from collections.abc import Iterable, Mapping

from appliance.config import EnginesConfig
from appliance.engines.languages import RECOGNIZED, SPOKEN, TRANSLATED, best_match, pair_for
from appliance.engines.protocols import EngineError
from appliance.engines.registry import EVERY_OTHER

_ADVICE = "dragoman languages shows which engines do"
AUTO = "auto"  # a leg whose language is found out while it speaks


def refuse_impossible(engines: EnginesConfig, source: str, targets: Iterable[str]) -> None:
    """Raise EngineError where nobody would be understood, translated or heard: said now, not after a minute."""
    if source != AUTO and not _serves(engines.recognizers, RECOGNIZED, source):
        raise EngineError(f'no recognizer of the configuration understands "{source}"; {_ADVICE}')
    for target in targets:
        if not _serves(engines.synthesizers, SPOKEN, target):
            raise EngineError(f'no synthesizer of the configuration speaks "{target}"; {_ADVICE}')
        pairs = TRANSLATED.get(engines.translator, frozenset())
        if source != AUTO and not pair_for(pairs, source, target):
            raise EngineError(f'{engines.translator} does not translate from "{source}" into "{target}"; {_ADVICE}')


def _serves(names: Mapping[str, str], known: Mapping[str, frozenset[str]], language: str) -> bool:
    """Whether the engine that `names` gives to `language` knows it."""
    name = names.get(best_match(names, language) or EVERY_OTHER, "")
    return bool(best_match(known.get(name, frozenset()), language))
