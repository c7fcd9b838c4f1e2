"""What the same engines make of a stream that they may hear to its end first: the quality that waiting would give."""

import numpy as np

from appliance.bench.lag_speech import Recording, Stream
from appliance.config import Config, chain
from appliance.engines.languages import best_match
from appliance.engines.protocols import EngineError
from appliance.engines.registry import EVERY_OTHER, RECOGNIZERS, load_recognizer, load_translator

LONGEST_MS = 28_000.0  # what Whisper takes in at once
FULL_SCALE = np.float32(32_768)


def translated_whole(config: Config, stream: Stream, source: str, target: str) -> str:
    """The translation of all recordings, each recognised and translated as a whole; "" where that cannot be done."""
    names = config.engines.recognizers
    (name, *_) = chain(names.get(best_match(names, source) or EVERY_OTHER, ""))
    if name not in RECOGNIZERS or any(recording.voiced_ms > LONGEST_MS for recording in stream.recordings):
        return ""
    recognizer = load_recognizer(name, config)
    translator = load_translator(chain(config.engines.translator)[0], config)

    def interpreted(recording: Recording) -> str:
        text = recognizer.recognize(recording.samples.astype(np.float32) / FULL_SCALE, source).text
        return translator.translate(text, source, target) if text else ""

    by_sound = {id(recording.samples): recording for recording in stream.recordings}  # a stream may begin again
    try:
        texts = {sound: interpreted(recording) for sound, recording in by_sound.items()}
    except EngineError:
        return ""
    return " ".join(filter(None, (texts[id(recording.samples)] for recording in stream.recordings)))
