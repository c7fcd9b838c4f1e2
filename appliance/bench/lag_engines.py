"""Whether the engines of a configuration can do what `bench lag` is asked to measure."""

from collections.abc import Iterable, Mapping

from appliance.config import EnginesConfig, Names, chain
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
        names = chain(engines.translator)
        pairs = [TRANSLATED.get(name, frozenset()) for name in names]
        if source != AUTO and not any(pair_for(each, source, target) for each in pairs):
            by = " or ".join(names)
            raise EngineError(f'{by} does not translate from "{source}" into "{target}"; {_ADVICE}')


def _serves(names: Mapping[str, Names], known: Mapping[str, frozenset[str]], language: str) -> bool:
    """Whether an engine that `names` gives to `language` knows it."""
    chosen = chain(names.get(best_match(names, language) or EVERY_OTHER, ()))
    return any(best_match(known.get(name, frozenset()), language) for name in chosen)
