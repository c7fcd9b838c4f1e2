"""What asr tells of a leg's language where that has to be found out."""

from collections.abc import Sequence

from appliance.engines.protocols import AUTO, Transcript
from appliance.frames.messages import LanguageFound
from appliance.frames.roster import Leg
from appliance.speech.language_choice import LanguageChoice
from appliance.units import NS_PER_MS


class SpokenLanguage:
    """One leg's, during one call: `candidates` are the languages that are interpreted here.

    An engine that finds a language for each utterance alone is believed reluctantly; one of ours has decided already.
    """

    def __init__(self, leg: Leg, candidates: Sequence[str]) -> None:
        self._leg = leg
        self._choice = LanguageChoice(tuple(candidates), candidates[0])
        self._told = ("", "")  # language, foreign

    def hear(self, transcript: Transcript) -> LanguageFound | None:
        """What is to be told after `transcript`: what is new and, with each utterance, once more what is known."""
        language, foreign = self._known(transcript)
        if not language or not (transcript.final or (language, foreign) != self._told):
            return None
        self._told = language, foreign
        return LanguageFound(self._leg.place, self._leg.call, language, foreign)

    def _known(self, transcript: Transcript) -> tuple[str, str]:
        if transcript.decided is not None:
            return (transcript.language if transcript.decided else ""), transcript.foreign
        if transcript.final and transcript.committed and transcript.language not in ("", AUTO):
            spoken_ns = sum(word.end_ns - word.start_ns for word in transcript.committed)
            self._choice.push({transcript.language: 1.0}, spoken_ns / NS_PER_MS)
        return self._choice.language or "", self._choice.foreign
