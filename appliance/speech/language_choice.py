"""Which language a leg speaks, where its route says `auto`: decided in the first seconds, and changed reluctantly."""

from collections.abc import Mapping
from dataclasses import dataclass, field

LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class ChoicePolicy:
    """How sure one has to be. Evidence is voiced time, weighted by how clear each window was."""

    decide_ms: int = 3_000  # of speech before the first decision, unless one language is clear sooner
    clear_ms: int = 1_200  # ... after so much speech at the earliest
    clear_share: float = 0.85  # of the evidence
    least_share: float = 0.15  # of everything heard, that speaks for any candidate at all
    memory_ms: int = 8_000  # what was heard longer ago counts less and less
    switch_share: float = 0.80
    switch_ms: int = 3_000  # another language has to lead for so long: a borrowed word changes nothing
    foreign_share: float = 0.70  # of everything heard, for a language that is none of the candidates


@dataclass(slots=True)
class LanguageChoice:
    """One leg that may speak one of `candidates`; `language` is None until it is decided.

    `expected` is chosen if decide_ms of speech settle nothing. `foreign` is what the leg seems to speak really, where
    that is none of them.
    """

    candidates: tuple[str, ...]
    expected: str
    policy: ChoicePolicy = ChoicePolicy()
    language: str | None = None
    foreign: str = ""
    _heard_ms: float = 0.0
    _evidence: dict[str, float] = field(default_factory=dict)
    _others: dict[str, float] = field(default_factory=dict)  # evidence for languages that are no candidates
    _all: float = 0.0
    _leader: str = ""
    _led_ms: float = 0.0

    def __post_init__(self) -> None:
        if self.expected not in self.candidates:
            raise ValueError(f'the expected language "{self.expected}" is not among {", ".join(self.candidates)}')

    @property
    def shares(self) -> dict[str, float]:
        """How the evidence is shared among the candidates; equal shares before there is any."""
        total = sum(self._evidence.values())
        if not total:
            return dict.fromkeys(self.candidates, 1 / len(self.candidates))
        return {name: self._evidence[name] / total for name in self.candidates}

    def push(self, probabilities: Mapping[str, float], voiced_ms: float) -> str | None:
        """What a recognizer thinks of one window with `voiced_ms` of speech; returns the language as it is now known.

        `probabilities` may name other languages too ("pt" counts for "pt-br"); they are left out.
        """
        self._add(probabilities, voiced_ms)
        self.foreign = self._outsider()
        shares = self.shares
        leader = max(self.candidates, key=shares.__getitem__)
        self._led_ms = self._led_ms + voiced_ms if leader == self._leader else voiced_ms
        self._leader = leader
        if self.language is None:
            self.language = self._first_choice(leader, shares[leader])
        elif shares[leader] >= self.policy.switch_share and self._led_ms >= self.policy.switch_ms:
            self.language = leader
        return self.language

    def _first_choice(self, leader: str, share: float) -> str | None:
        is_evident = sum(self._evidence.values()) >= self.policy.least_share * self._all
        if is_evident and share >= self.policy.clear_share and self._heard_ms >= self.policy.clear_ms:
            return leader
        if self._heard_ms < self.policy.decide_ms:
            return None
        return leader if is_evident and share > 1.5 / len(self.candidates) else self.expected

    def _outsider(self) -> str:
        if self._heard_ms < self.policy.decide_ms:
            return ""
        name, evidence = max(self._others.items(), key=lambda each: each[1], default=("", 0.0))
        return name if evidence >= self.policy.foreign_share * self._all else ""

    def _add(self, probabilities: Mapping[str, float], voiced_ms: float) -> None:
        # As they are: of half a second, a recognizer thinks that it is Japanese, and next to nothing of the candidates.
        scores = {name: max(LEAST, _probability(probabilities, name)) for name in self.candidates}
        fade = 0.5 ** (voiced_ms / self.policy.memory_ms)
        self._heard_ms += voiced_ms
        self._all = self._all * fade + voiced_ms
        known = {name.partition("-")[0] for name in self.candidates}
        strange = {name: share for name, share in probabilities.items() if name.partition("-")[0] not in known}
        for name in self._others.keys() | strange.keys():
            self._others[name] = self._others.get(name, 0.0) * fade + voiced_ms * strange.get(name, 0.0)
        for name in self.candidates:
            self._evidence[name] = self._evidence.get(name, 0.0) * fade + voiced_ms * scores[name]


def _probability(probabilities: Mapping[str, float], language: str) -> float:
    return probabilities.get(language, probabilities.get(language.partition("-")[0], 0.0))
