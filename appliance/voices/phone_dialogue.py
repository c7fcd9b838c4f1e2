"""What is said and asked when somebody enrols by telephone: a state machine of values, without a telephone.

Steps go out, news of how they went come in. Nothing is kept until the very end: whoever hangs up before that has left
nothing behind, and may call again with the same code.
"""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import msgspec

CODE_DIGITS = 8
MOST_CODES = 3  # wrong ones in a call
MOST_SILENCES = 3  # unanswered questions in a row
MOST_BAD_HERE = 3  # bad takes of one sentence, before the next one is tried
MOST_BAD = 12  # ... and of all
SENTENCE_S = 20
CONSENT_S = 25
PLAYBACK = "*consent*"  # among prompts: the consent as it was just said
AGREED, AGAIN = "1", "2"

Stage = Literal["code", "sentences", "consent", "confirm", "making", "over"]
Flaw = Literal["nothing", "short", "noisy", "overdriven", "other"]  # of a take; each has a prompt, "again-…"
Take = Literal["sentence", "consent"]


# News


class Keys(msgspec.Struct, frozen=True, tag=True):
    """What was keyed in; empty where nothing was."""

    text: str


class Invited(msgspec.Struct, frozen=True, tag=True):
    """The code is good; prompts are in this language from now on."""

    language: str


class NotInvited(msgspec.Struct, frozen=True, tag=True):
    """The code is not known, has ended or has been used."""


class Heard(msgspec.Struct, frozen=True, tag=True):
    """A take, as it was judged: seconds of speech, and what is wrong with it."""

    speech_s: float
    flaw: Flaw | None = None


class Made(msgspec.Struct, frozen=True, tag=True):
    """The voice is on file. `sentences`: what could be better; `narrow`: it sounds like a telephone."""

    speaker_id: str
    narrow: bool
    sentences: list[str] = []


class NotMade(msgspec.Struct, frozen=True, tag=True):
    """No voice could be made; why, in sentences for operators."""

    sentences: list[str]


News: TypeAlias = Keys | Invited | NotInvited | Heard | Made | NotMade


# Steps: what to play first, and what to do then


@dataclass(frozen=True, slots=True)
class Ask:
    """Take so many keys; news: Keys."""

    prompts: tuple[str, ...]
    digits: int


@dataclass(frozen=True, slots=True)
class LookUp:
    """Find the invitation of a code; news: Invited or NotInvited."""

    code: str


@dataclass(frozen=True, slots=True)
class Listen:
    """Record a take and judge it; news: Heard."""

    prompts: tuple[str, ...]
    take: Take
    longest_s: int


@dataclass(frozen=True, slots=True)
class Make:
    """Make the voice of all good takes; news: Made or NotMade. Who hangs up from here on is enrolled all the same."""

    prompts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class End:
    """Say goodbye and hang up. No news."""

    prompts: tuple[str, ...]


Step: TypeAlias = Ask | LookUp | Listen | Make | End


@dataclass(frozen=True, slots=True)
class Dialogue:
    """How far it is. `sentences`: how many there are to say; after the last one comes the first again."""

    language: str
    needed_s: float
    sentences: int
    stage: Stage = "code"
    sentence: int = 0
    speech_s: float = 0.0
    bad_here: int = 0
    bad: int = 0
    tries: int = 0
    silences: int = 0

    @property
    def is_half_done(self) -> bool:
        """Whether at least half of the speech is there."""
        return self.speech_s >= self.needed_s / 2


Turn: TypeAlias = tuple[Dialogue, Step]


def begin(language: str, needed_s: float, sentences: int) -> Turn:
    """Somebody has called; `language` is the box's, `needed_s` how much speech a voice needs."""
    return Dialogue(language, needed_s, sentences), Ask(("welcome", "enter-code"), CODE_DIGITS)


def after(dialogue: Dialogue, news: News) -> Turn:
    """What comes next. Raises ValueError for news that do not belong here."""
    if isinstance(news, NotMade):
        why = "not-made" if dialogue.stage == "making" else "failed"  # the store, or the worker
        return _over(dialogue, why, "nothing-kept", "goodbye")
    match dialogue.stage, news:
        case "code", _:
            turn = _after_code(dialogue, news)
        case "sentences", Heard():
            turn = _after_sentence(dialogue, news)
        case "consent", Heard(_, flaw):
            turn = _after_consent(dialogue, flaw)
        case "confirm", Keys(text):
            turn = _confirmed(dialogue, text)
        case "making", Made(_, narrow):
            turn = _over(dialogue, "done", *(["narrow"] if narrow else []), "goodbye")
        case stage, _:
            raise ValueError(f"{news} came while {stage}")
    return turn


def _after_code(dialogue: Dialogue, news: News) -> Turn:
    match news:
        case Keys(text):
            return _code(dialogue, text)
        case NotInvited():
            return _not_invited(dialogue)
        case Invited(language):
            known = replace(dialogue, stage="sentences", language=language, silences=0)
            return known, _sentence(known, "how-it-works")
    raise ValueError(f"{news} came instead of a code")


def _code(dialogue: Dialogue, text: str) -> Turn:
    if len(text) == CODE_DIGITS:
        return replace(dialogue, silences=0), LookUp(text)
    if dialogue.silences + 1 >= MOST_SILENCES:
        return _over(dialogue, "no-code", "goodbye")
    return replace(dialogue, silences=dialogue.silences + 1), Ask(("enter-code",), CODE_DIGITS)


def _not_invited(dialogue: Dialogue) -> Turn:
    tried = replace(dialogue, tries=dialogue.tries + 1)
    if tried.tries >= MOST_CODES:
        return _over(tried, "wrong-code", "no-code", "goodbye")
    return tried, Ask(("wrong-code", "enter-code"), CODE_DIGITS)


def _after_sentence(before: Dialogue, heard: Heard) -> Turn:
    if heard.flaw:
        return _bad_sentence(before, heard.flaw)
    speech_s = before.speech_s + heard.speech_s
    here = replace(before, speech_s=speech_s, sentence=(before.sentence + 1) % before.sentences, bad_here=0)
    if speech_s >= before.needed_s:
        return replace(here, stage="consent"), _consent("enough")
    return here, _sentence(here, *(["half"] if here.is_half_done and not before.is_half_done else []))


def _bad_sentence(before: Dialogue, flaw: Flaw) -> Turn:
    here = replace(before, bad=before.bad + 1, bad_here=before.bad_here + 1)
    if here.bad >= MOST_BAD:
        return _over(here, "bad-line", "nothing-kept", "goodbye")
    if here.bad_here >= MOST_BAD_HERE:  # perhaps that one is hard to say
        here = replace(here, bad_here=0, sentence=(here.sentence + 1) % here.sentences)
    return here, _sentence(here, f"again-{flaw}")


def _after_consent(before: Dialogue, flaw: Flaw | None) -> Turn:
    if flaw is None:
        return replace(before, stage="confirm", silences=0), Ask(("you-said", PLAYBACK, "confirm"), 1)
    here = replace(before, bad=before.bad + 1)
    if here.bad >= MOST_BAD:
        return _over(here, "bad-line", "nothing-kept", "goodbye")
    return here, _consent(f"again-{flaw}")


def _confirmed(dialogue: Dialogue, key: str) -> Turn:
    """Only the key itself is a yes; silence is a no."""
    if key == AGREED:
        return replace(dialogue, stage="making"), Make(("one-moment",))
    if key == AGAIN:
        return replace(dialogue, stage="consent"), _consent("consent-again")
    if dialogue.silences + 1 >= MOST_SILENCES:
        return _over(dialogue, "not-agreed", "nothing-kept", "goodbye")
    return replace(dialogue, silences=dialogue.silences + 1), Ask(("confirm",), 1)


def _sentence(dialogue: Dialogue, *first: str) -> Listen:
    return Listen((*first, f"sentence-{dialogue.sentence + 1}"), "sentence", SENTENCE_S)


def _consent(first: str) -> Listen:
    return Listen((first, "consent-how", "consent"), "consent", CONSENT_S)


def _over(dialogue: Dialogue, *prompts: str) -> Turn:
    return replace(dialogue, stage="over"), End(prompts)
