"""Whether anybody can interpret a lane now, as rtp sees it: from the vital signs of asr, mt and tts."""

from collections.abc import Callable, Mapping

from appliance.config import AUTO, STAGES, EnginesConfig, Names, chain
from appliance.engines.languages import RECOGNIZED, SPOKEN, TRANSLATED, best_match, pair_for
from appliance.engines.registry import EVERY_OTHER
from appliance.frames.roster import Lane, Roster
from appliance.supervision.vitals import State, Vitals, breakers

# Stopped is not among them: who was told to stop is not missed, and who never was there has no calls.
AWAY = (State.STARTING, State.STUCK, State.WAITING, State.CIRCUIT_OPEN)


class Interpreters:
    """Look once each tick; then ask about as many lanes as you like."""

    def __init__(self, vitals: Mapping[str, Vitals], engines: EnginesConfig) -> None:
        self._vitals = [vitals[stage] for stage in STAGES]
        self._engines = engines
        self._languages: dict[int, tuple[str, str]] = {}  # by lane
        self._seen: tuple[tuple[State, int], ...] = ()
        self._known: dict[tuple[str, str], str] = {}

    def follow(self, roster: Roster) -> None:
        """Who speaks and who listens in which language."""
        spoken = {leg.place: leg.language for leg in roster.legs}
        self._languages = {lane.place: (spoken.get(lane.leg, AUTO), lane.target_language) for lane in roster.lanes}

    def look(self) -> None:
        """Take in how the stages are."""
        seen = tuple((vitals.state, vitals.get("breakers")) for vitals in self._vitals)
        if seen != self._seen:
            self._seen = seen
            self._known.clear()

    def missing(self, lane: Lane) -> str:
        """What is missing to interpret `lane`, in a few words; empty where nothing is."""
        languages = self._languages.get(lane.place, (AUTO, AUTO))
        if languages not in self._known:
            self._known[languages] = self._missing(*languages)
        return self._known[languages]

    def _missing(self, source: str, target: str) -> str:
        chains: dict[str, tuple[Names, Callable[[str], object]]] = {
            "asr": (_of(self._engines.recognizers, source), lambda name: _knows(RECOGNIZED, name, source)),
            "mt": (self._engines.translator, lambda name: pair_for(TRANSLATED.get(name, ()), source, target)),
            "tts": (_of(self._engines.synthesizers, target), lambda name: _knows(SPOKEN, name, target)),
        }
        for stage, (state, word) in zip(STAGES, self._seen, strict=True):
            if state in AWAY:
                return f"{stage} is away"
            names, knows = chains[stage]
            open_states = dict(zip(self._engines.named(stage), breakers(word), strict=False))
            # Where the table knows nobody, the stage itself may know better.
            able = [name for name in chain(names) if knows(name)] or chain(names)
            if able and all(open_states.get(name) for name in able):
                return f"no engine of {stage} answers"
        return ""


def _of(table: Mapping[str, Names], language: str) -> Names:
    return table.get(best_match(table, language) or EVERY_OTHER, ())


def _knows(known: Mapping[str, frozenset[str]], name: str, language: str) -> str:
    return best_match(known.get(name, frozenset()), language)
