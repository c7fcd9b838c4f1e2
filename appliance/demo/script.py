"""What is said when nobody brings recordings: a caller with a question, and a company that lets him wait."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import soundfile

from appliance.config import Config
from appliance.demo.asterisk import asterisk_tree
from appliance.demo.say import SayError, Turn, load_turn, parse_say, to_telephone
from appliance.engines.protocols import Synthesizer

GSM_RATE_HZ = 8000
BREATH_S = 0.15  # between the clauses of a synthesized sentence

# Asterisk's own prompts, a person's recorded voice, in the order of the conversation …
PROMPTS = ("queue-periodic-announce", "queue-youarenext", "pbx-invalid")
# … and the other side. No package brings a recording of a person speaking Portuguese, so the box's own voice reads it.
SENTENCES = (
    "Bom dia, eu gostaria de falar com o gerente sobre a minha conta.",
    "Muito obrigado, eu vou esperar na linha.",
    "Você pode repetir o número, por favor?",
)


def conversation(say: Iterable[str], config: Config, load_portuguese: Callable[[], Synthesizer]) -> list[Turn]:
    """The turns to take: those of `say` ("LANGUAGE:FILE"), or the default conversation. Raises SayError."""
    turns = [load_turn(*parse_say(argument)) for argument in say]
    if len({turn.language for turn in turns}) > 2:
        raise SayError("--say: two people talk in the demo, so at most two languages")
    if turns:
        return turns
    sounds = asterisk_tree(config) / "usr/share/asterisk/sounds/en_US_f_Allison"
    portuguese = load_portuguese()
    pairs = zip(PROMPTS, SENTENCES, strict=True)
    return [turn for name, text in pairs for turn in (prompt(sounds / f"{name}.gsm"), spoken(text, portuguese))]


def prompt(path: Path) -> Turn:
    """One of Asterisk's English recordings (headerless GSM 06.10). Raises SayError."""
    try:
        samples, _ = soundfile.read(
            path, dtype="float32", format="RAW", subtype="GSM610", samplerate=GSM_RATE_HZ, channels=1
        )
    except (soundfile.LibsndfileError, OSError) as error:
        raise SayError(f"{path}: Asterisk's recording cannot be read; run make setup again") from error
    return Turn("en", path.stem, to_telephone(samples, GSM_RATE_HZ))


def spoken(text: str, portuguese: Synthesizer) -> Turn:
    """A Portuguese sentence in the box's own voice."""
    clauses = list(portuguese.synthesize(text, "pt-br"))
    breath = np.zeros(int(BREATH_S * clauses[0].rate_hz), np.float32)
    samples = np.concatenate([part for clause in clauses for part in (clause.samples, breath)])
    return Turn("pt-br", text, to_telephone(samples, clauses[0].rate_hz))
