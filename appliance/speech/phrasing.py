"""How much of what waits in a lane is spoken next: a clause, or nothing yet because more words make it a better one."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from appliance.engines.protocols import ClauseSizes
from appliance.speech.catch_up import SynthesisCost, chunk_chars, synthesis_ms
from appliance.speech.clauses import clause_words, ends_phrase, leans_on_next


@dataclass(frozen=True, slots=True)
class PhrasingPolicy:
    """When a lane waits for more words of a segment that still grows."""

    # What has to be left to hear when the clause is ready: other lanes take turns, and a voice is not always as quick.
    margin_ms: int = 500
    # Less than this waits for company, so long, although the lane is silent: heard alone, "to the" or "é" is no speech.
    fragment_chars: int = 12
    company_ms: int = 400
    # A lone "da" or "the" waits longer: it belongs to the next word, and played alone it is no gain to the listener.
    lone_company_ms: int = 1_200


@dataclass(frozen=True, slots=True)
class Voice:
    """Who speaks: in which language, in clauses of which size, and what they cost."""

    language: str
    sizes: ClauseSizes
    cost: SynthesisCost = field(default_factory=SynthesisCost)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a lane has to say now."""

    words: Sequence[str]  # of one segment
    closed: bool  # no more words of it will come
    waited_ms: float  # the first of them
    backlog_ms: float  # speech that the listener has yet to hear
    merge: bool = False  # the lane has fallen behind: join what is small


def words_to_speak(waiting: Waiting, voice: Voice, policy: PhrasingPolicy = PhrasingPolicy()) -> int:
    """How many words to speak now; 0: wait for more.

    A segment that grows gives up its last words only when they end a phrase, or when the lane would run dry.
    """
    words, sizes = waiting.words, voice.sizes
    # Far behind, the listener waits anyway: then it counts how much is spoken in all, and short clauses cost more.
    shortest = (sizes.first_chars + sizes.longest_chars) // 2 if waiting.merge else sizes.first_chars
    affordable = chunk_chars(waiting.backlog_ms, voice.cost, shortest, sizes.longest_chars)
    count = clause_words(words, voice.language, affordable, waiting.merge)
    if count == len(words) - 1:
        count += 1  # a last word alone sounds worse than a clause that is a little late
    if waiting.closed or count < len(words) or ends_phrase(words[-1]):
        return count
    if _can_wait(waiting, voice, policy):
        return 0
    while count > 1 and leans_on_next(words[count - 1], voice.language):
        count -= 1
    return 0 if waiting.waited_ms < _company_ms(words[:count], voice.language, policy) else count


def _company_ms(words: Sequence[str], language: str, policy: PhrasingPolicy) -> int:
    """How long so few words wait for more."""
    if ends_phrase(words[-1]) or len(" ".join(words)) >= policy.fragment_chars:
        return 0
    return policy.lone_company_ms if leans_on_next(words[-1], language) else policy.company_ms


def _can_wait(waiting: Waiting, voice: Voice, policy: PhrasingPolicy) -> bool:
    ready_ms = synthesis_ms(len(" ".join(waiting.words)), voice.cost)
    return waiting.backlog_ms > ready_ms + policy.margin_ms
