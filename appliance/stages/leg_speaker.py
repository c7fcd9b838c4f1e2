"""Who speaks on one leg: found by route, number or likeness, watched from then on, learned where that is allowed."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import numpy as np

from appliance.clock import now_ns
from appliance.config import VoicesConfig
from appliance.frames.messages import HealthEvent, SpeakerFound
from appliance.frames.roster import Leg
from appliance.units import NS_PER_S, SAMPLE_RATE_HZ
from appliance.voices.arrays import Floats
from appliance.voices.choice import (
    FIRST_LOOK_S,
    LEARN_FROM_S,
    NEXT_LOOK_S,
    STOCK,
    WATCH_S,
    By,
    Choice,
    Likely,
    Match,
    choose,
    identified,
    may_learn,
    nearest_manner,
    next_match,
    numbers_on_file,
)
from appliance.voices.consent import standing
from appliance.voices.directory import Directory
from appliance.voices.heard import Heard
from appliance.voices.identity import Encoder, likeness, mean_voice
from appliance.voices.resemblyzer import loud_enough
from appliance.voices.style import StyleEncoder

STYLE_EVERY_S = 2.0
STYLE_OF_S = 6.0
TELL_AGAIN_NS = NS_PER_S
BY: dict[str, By] = {"route": "route", "number": "number", "voice": "voice"}


class LegSpeaker:
    """One leg during one call. `configured`: what its route says; `is_allowed`: whether its voice may be learned.

    encoder: tells voices apart, where there is one; styles: tell manners apart, by their models.
    `tell` is given what operators should know. A restarted process takes over what the roster says was found.
    """

    def __init__(
        self,
        leg: Leg,
        configured: str,
        is_allowed: bool,
        config: VoicesConfig,
        directory: Directory,
        encoder: Encoder | None,
        styles: Mapping[str, StyleEncoder],
        tell: Callable[[HealthEvent], None],
    ) -> None:
        self.heard = Heard()
        self.reference: Floats | None = None  # the speech that a temporary voice is made of
        self._leg = leg
        self._configured = configured
        self._is_allowed = is_allowed
        self._config = config
        self._directory = directory
        self._encoder = encoder
        self._styles = styles
        self._tell = tell
        self._by_voice = leg.speaker if leg.chosen_by == "voice" else None
        self._choice = Choice(leg.speaker, BY.get(leg.chosen_by, ""))
        self._manner = leg.manner
        self._match = Match()
        self._partials: list[Floats] = []
        self._next_look_s = FIRST_LOOK_S
        self._next_watch_s = WATCH_S
        self._next_style_s = STYLE_EVERY_S
        self._learned_from: Floats | None = None  # the identity of `reference`
        self._told_ns = 0
        self._told = ("", "", 0)

    @property
    def is_strange(self) -> bool:
        """Somebody else seems to speak, and the configuration takes the voice away for that."""
        return bool(self._choice.speaker) and not self._match.holds and self._config.on_mismatch == "stock"

    def consult(self) -> None:
        """Choose anew: at the beginning, and whenever the voices on file have changed."""
        number = self._directory.by_number(numbers_on_file(self._leg.phone, self._config.country_code))
        configured = self._configured
        if configured not in ("", STOCK):
            configured = self._directory.id_of(configured)
        before, self._choice = self._choice, choose(configured, number, self._by_voice)
        if self._choice != before and self._choice.speaker:
            found_by = {"voice": "likeness"}.get(self._choice.by, self._choice.by)
            self._say("CHOSEN", f"is to speak with {self._choice.speaker}, found by {found_by}")

    def look(self) -> None:
        """Do what the speech that has come in allows, a tenth of a second of work at most."""
        spoken_s = self.heard.speech_s
        if self._is_searching and spoken_s >= self._next_look_s:
            self._identify()
        elif self._learns and self.reference is None and spoken_s >= LEARN_FROM_S:
            self._learn()
        elif (self._choice.speaker or self.reference is not None) and spoken_s >= self._next_watch_s:
            self._watch()
        elif spoken_s >= self._next_style_s:
            self._feel()

    def news(self, leg: Leg) -> SpeakerFound | None:
        """What `leg`, the roster's, does not say yet; once more where that was told a while ago."""
        speaker = "" if self.is_strange else self._choice.speaker
        known = (speaker, str(self._choice.by), self._manner if speaker else 0)
        is_again = known == self._told and now_ns() - self._told_ns < TELL_AGAIN_NS
        if known == (leg.speaker, leg.chosen_by, leg.manner) or is_again:
            return None
        self._told, self._told_ns = known, now_ns()
        return SpeakerFound(leg.place, leg.call, *known)

    @property
    def _least_likeness(self) -> float:
        """Above 1 where nobody can be taken for somebody else by likeness."""
        return self._config.least_likeness or (self._encoder.scale.least_likeness if self._encoder else 2.0)

    @property
    def _is_searching(self) -> bool:
        able = self._config.identify and self._encoder is not None and self._least_likeness <= 1
        return able and not self._choice.by and self._next_look_s <= self._config.identify_s

    @property
    def _learns(self) -> bool:
        """Also somebody on file who has agreed to that: what is on file may lack what the engine needs."""
        if self._choice.speaker:
            entry = self._directory.get(self._choice.speaker)
            consent = entry.consent if entry else None
            return bool(consent and consent.adaptation and standing(consent, datetime.now(UTC)) == "given")
        is_searched = not self._is_searching or self._next_look_s > FIRST_LOOK_S
        return may_learn(self._choice, self._is_allowed, is_searched)

    def _identify(self) -> None:
        assert self._encoder, "it searches"
        self._next_look_s += NEXT_LOOK_S
        if not self._directory.likenesses(np.zeros(self._encoder.width, np.float32), self._encoder.model, _now()):
            return  # there is nobody to be found
        self._partials.append(self._encoded(NEXT_LOOK_S))
        voice = mean_voice(np.concatenate(self._partials))
        likely = Likely(self._least_likeness, self._config.least_margin)
        self._by_voice = identified(self._directory.likenesses(voice, self._encoder.model, _now()), likely)
        if self._by_voice:
            self.reference = self._learned_from = None
            self._next_watch_s = self.heard.speech_s + WATCH_S
            self.consult()

    def _learn(self) -> None:
        self.reference = self.heard.speech(LEARN_FROM_S)
        if not self._choice.speaker and self._encoder:
            self._learned_from = mean_voice(self._encoded(LEARN_FROM_S))
        self._next_watch_s = self.heard.speech_s + WATCH_S

    def _watch(self) -> None:
        """See whether it is still the same person."""
        self._next_watch_s = self.heard.speech_s + WATCH_S
        entry = self._directory.get(self._choice.speaker)
        expected = entry.identity if entry else self._learned_from
        if self._encoder is None or expected is None or (entry and entry.model != self._encoder.model):
            return
        alike = likeness(mean_voice(self._encoded(WATCH_S)), expected)
        other_below = self._config.other_below or self._encoder.scale.other_below
        before, self._match = self._match, next_match(self._match, alike, other_below)
        if self._match.holds is before.holds:
            return
        whose = self._choice.speaker or "the voice that was learned in this call"
        if self._match.holds:
            self._say("MATCHED", f"sounds like {whose} again (likeness {alike:.2f})")
            return
        self._say("MISMATCH", f"does not sound like {whose} any more (likeness {alike:.2f})")
        if not self._choice.speaker:
            self.reference = self._learned_from = None  # learned anew, of whoever has the phone now
            self._match = Match()

    def _feel(self) -> None:
        """In which manner they speak just now."""
        self._next_style_s = self.heard.speech_s + STYLE_EVERY_S
        entry = self._directory.get(self._choice.speaker)
        if entry is None or len(entry.centres) < 2:
            return
        encoder = self._styles.get(entry.style_model)
        found = encoder.style(self.heard.sound(STYLE_OF_S), SAMPLE_RATE_HZ) if encoder else None
        if found:
            self._manner = nearest_manner(entry.centres, found.vector.numbers(), self._manner)

    def _encoded(self, seconds: float) -> Floats:
        assert self._encoder, "there is one"
        return self._encoder.partials(loud_enough(self.heard.speech(seconds)))

    def _say(self, status: str, action: str) -> None:
        leg = self._leg
        self._tell(HealthEvent("voice", status, f"leg {leg.place} {action}", now_ns(), session_id=leg.room))


def _now() -> datetime:
    return datetime.now(UTC)
