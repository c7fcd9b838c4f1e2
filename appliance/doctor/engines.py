"""The engines that the configuration names: their model files, and whether they can do what the routes ask."""

from collections.abc import Collection, Iterator
from importlib import import_module

from appliance.config import STAGES, Config
from appliance.doctor.findings import Finding, fault, ok
from appliance.engines.languages import TRANSLATED
from appliance.engines.model_files import manifest, verified_folder
from appliance.engines.protocols import EngineError
from appliance.engines.registry import TRANSLATORS, VOICE_DETECTOR


def examine(config: Config) -> Iterator[Finding]:
    """Read every model file and compare it with the manifest; takes about a second."""
    engines = config.engines
    names = {VOICE_DETECTOR, *(name for stage in STAGES for name in engines.named(stage))}
    for name in sorted(names & set(manifest())):
        yield _model(name, config)
    yield from _pairs(config)


def _model(name: str, config: Config) -> Finding:
    model = manifest()[name]
    try:
        verified_folder(model, config.cache_dir)
    except EngineError as error:
        found, _, fix = str(error).rpartition("; ")
        return fault(f"model {name}", found, fix)
    megabytes = sum(file.bytes for file in model.files) / 1e6
    return ok(f"model {name}", f"{megabytes:.0f} MB, every byte as it should be ({model.licence})")


def _pairs(config: Config) -> Iterator[Finding]:
    """Whether somebody translates what the routes ask; one of a chain is enough."""
    names = [name for name in config.engines.named("mt") if name in TRANSLATORS]
    known: set[tuple[str, str]] = set()
    for name in names:
        try:
            known |= _pairs_of(name)
        except ImportError as error:
            yield fault(f"translator {name}", f"cannot be imported ({error})", "make setup")
            return
    if names:
        yield from _missing_pairs(config, known, " or ".join(names))


def _pairs_of(name: str) -> frozenset[tuple[str, str]]:
    module, _, made_by = TRANSLATORS[name].partition(":")
    pairs: frozenset[tuple[str, str]] = getattr(getattr(import_module(module), made_by), "pairs", TRANSLATED[name])
    return pairs


def _missing_pairs(config: Config, known: Collection[tuple[str, str]], names: str) -> Iterator[Finding]:
    wanted = {
        pair
        for route in config.routes
        for pair in (
            (route.caller_language, route.callee_language),
            (route.callee_language, route.caller_language),
        )
        if route.caller_language != route.callee_language
    }
    for source, target in sorted(wanted):
        if not any((s, t) in known for s in _spellings(source) for t in _spellings(target)):
            fix = "change the route or engines.translator"
            yield fault(f"translator {names}", f"does not know {source} → {target}, which a route needs", fix)


def _spellings(language: str) -> tuple[str, str]:
    return language, language.partition("-")[0]
