"""tts whose Portuguese engine clones, in a way: somebody's own voice is another one of Kokoro's."""

from collections.abc import Iterator, Mapping

import numpy as np

import procs.tts
from appliance.engines.kokoro import Kokoro
from appliance.engines.model_files import manifest, verified_folder
from appliance.engines.protocols import ClonedVoice, Speech
from appliance.engines.registry import load_synthesizers as load_real
from appliance.supervision.context import Context

OTHER_VOICE = "jf_alpha"


class ToyClonerKokoro(Kokoro):
    """Kokoro with two voices, its own and a woman's."""

    conditioning_model = "toy"

    def learn(self, voices: Mapping[str, np.ndarray]) -> None:
        self._other = voices[OTHER_VOICE]

    def synthesize_as(self, voice: ClonedVoice, text: str, language: str, speed: float = 1.0) -> Iterator[Speech]:
        del voice
        own, self._styles = self._styles, self._other
        try:
            yield from list(self.synthesize(text, language, speed))
        finally:
            self._styles = own

    def condition(self, speaker_id: str, samples: np.ndarray, rate_hz: int) -> ClonedVoice:
        del samples, rate_hz
        return ClonedVoice(speaker_id, np.zeros((32, 1024), np.float32), np.ones(512, np.float32))


def main(ctx: Context) -> None:
    """Live as tts."""
    procs.tts.load_synthesizers = _load_synthesizers
    procs.tts.main(ctx)


def _load_synthesizers(config):
    engines = load_real(config)
    kokoro = engines.by_name["kokoro"]
    kokoro.__class__ = ToyClonerKokoro
    with np.load(verified_folder(manifest()["kokoro"], config.cache_dir) / "voices.npz") as voices:
        kokoro.learn({OTHER_VOICE: voices[OTHER_VOICE]})
    return engines
