"""Messages about stretches of audio become revisions of utterances."""

from appliance.engines.protocols import StreamContext, Transcript, Word
from appliance.engines.utterance import Heard, HeardWord, Utterance

CONTEXT = StreamContext("room", "leg")


def words(text: str, start_s: float = 0.0) -> tuple[HeardWord, ...]:
    return tuple(
        HeardWord(word, start_s + place, start_s + place + 0.5, 0.9) for place, word in enumerate(text.split())
    )


class Hearing:
    """An utterance, and what it says."""

    def __init__(self) -> None:
        self.utterance = Utterance(CONTEXT, "en")

    def hear(self, heard: Heard) -> Transcript | None:
        return self.utterance.hear(heard, lambda word: Word(word.text, 0, 0), lambda seconds: int(seconds * 50))


def texts(transcript: Transcript | None) -> tuple[str, str]:
    assert transcript
    return " ".join(word.text for word in transcript.committed), " ".join(word.text for word in transcript.tentative)


def test_what_is_final_is_added_and_the_rest_replaced() -> None:
    hearing = Hearing()
    assert texts(hearing.hear(Heard(words("good mourning")))) == ("", "good mourning")
    assert texts(hearing.hear(Heard(words("good morning"), final=True))) == ("good morning", "")
    assert texts(hearing.hear(Heard(words("how")))) == ("good morning", "how")
    last = hearing.hear(Heard(words("how are you"), final=True, ends=True))
    assert texts(last) == ("good morning how are you", "")
    assert last
    assert (last.final, last.revision) == (True, 4)


def test_nothing_new_is_no_revision() -> None:
    hearing = Hearing()
    assert hearing.hear(Heard()) is None
    assert hearing.hear(Heard(final=True, ends=True)) is None  # there is no utterance that could end
    hearing.hear(Heard(words("one")))
    assert hearing.hear(Heard(words("one"))) is None


def test_an_utterance_of_which_nothing_remains_is_ended_all_the_same() -> None:
    hearing = Hearing()
    hearing.hear(Heard(words("uh")))
    last = hearing.hear(Heard(final=True, ends=True))
    assert texts(last) == ("", "")
    assert last
    assert last.final


def test_utterances_are_told_apart_by_where_they_began() -> None:
    hearing = Hearing()
    first = hearing.hear(Heard(words("one", 2.0), final=True, ends=True))
    second = hearing.hear(Heard(words("two", 3.0)))
    same_frame = Hearing()
    same_frame.hear(Heard(words("one", 2.0), final=True, ends=True))
    pushed = same_frame.hear(Heard(words("two", 2.0)))
    assert first
    assert second
    assert pushed
    assert (first.seq_num, second.seq_num, pushed.seq_num) == (100, 150, 101)


def test_a_language_that_was_detected_replaces_the_one_asked_for() -> None:
    transcript = Hearing().hear(Heard(words("olá"), language="pt"))
    assert transcript
    assert transcript.language == "pt"
