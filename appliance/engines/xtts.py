"""XTTS v2 as a Synthesizer, in stock voices and in anybody's own, for many calls at once: see appliance/xtts."""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

import torch

from appliance.engines.languages import SPOKEN, best_match
from appliance.engines.protocols import ClauseSizes, ClonedVoice, EngineError, Samples, Speech
from appliance.xtts.acceptance import require_acceptance
from appliance.xtts.checkpoint import load
from appliance.xtts.conditioning import Conditioner
from appliance.xtts.failures import Failure, failure_of
from appliance.xtts.gpt import Precision
from appliance.xtts.precision import best_precision
from appliance.xtts.runtime import Runtime
from appliance.xtts.team import team_size

OWN_NAMES = {"zh": "zh-cn"}  # what the model calls a language, where that is not our tag
SLOWEST, FASTEST = 0.5, 2.0  # beyond that it is no speech any more
SLOTS = {"cpu": 4, "cuda": 64}  # each takes 130 MB on a GPU in float16


@dataclass(frozen=True, slots=True)
class XttsSettings:
    """Where the model is, who accepted its licence, and how it is run."""

    folder: Path
    acceptance_file: Path
    voice: str = ""  # of those that came with the model; empty: the first
    device: str = "auto"
    precision: str = "auto"
    streams: int = 0
    threads: int = 2


class Xtts:
    """Speaks as many clauses at once as the machine was measured to carry (`most_streams`, known after `warm`)."""

    clause_sizes = ClauseSizes(first_chars=40, longest_chars=120)

    def __init__(self, settings: XttsSettings) -> None:
        require_acceptance(settings.folder, settings.acceptance_file)
        device = _device(settings.device)
        checkpoint = load(settings.folder)
        known = {tag: OWN_NAMES.get(tag, tag) for tag in SPOKEN["xtts"]}
        self._own_names = {tag: name for tag, name in known.items() if name in checkpoint.settings.languages}
        self.languages = frozenset(self._own_names)
        self._voice = _stock_voice(checkpoint.speakers, settings)
        self._conditioner = Conditioner(checkpoint.weights, checkpoint.settings)
        self.conditioning_model = self._conditioner.model
        threads = team_size(settings.threads, len(os.sched_getaffinity(0)))
        kind = torch.device(device).type
        precision, slots = _precision(settings.precision, kind), settings.streams or SLOTS[kind]
        try:
            self._runtime = Runtime(checkpoint, device, precision, slots, threads)
        except (RuntimeError, MemoryError) as error:
            if failure_of(error) is not Failure.OUT_OF_MEMORY:
                raise EngineError(f'XTTS cannot run on "{device}": {str(error).splitlines()[0]}') from None
            raise EngineError(f'there is too little memory on "{device}" for XTTS; lower cloud.xtts.streams') from None

    @property
    def most_streams(self) -> int:
        """Clauses that are spoken at once."""
        return self._runtime.most_streams

    def warm(self) -> None:
        self._runtime.measure(self._voice)

    def close(self) -> None:
        """End what is being spoken."""
        self._runtime.close()

    def synthesize(self, text: str, language: str, speed: float = 1.0) -> Iterator[Speech]:
        return self.synthesize_as(self._voice, text, language, speed)

    def synthesize_as(self, voice: ClonedVoice, text: str, language: str, speed: float = 1.0) -> Iterator[Speech]:
        tag = best_match(self.languages, language)
        if not tag:
            raise EngineError(f'XTTS does not speak "{language}"; it speaks {", ".join(sorted(self.languages))}')
        speed = min(max(speed, SLOWEST), FASTEST)
        try:
            utterance = self._runtime.open(voice, text, self._own_names[tag], speed)
        except ImportError as error:  # some languages are read with a package of their own
            raise EngineError(f'XTTS needs the package {error.name} to speak "{language}"; install it') from None
        with closing(utterance):
            for samples in utterance:
                yield Speech(samples, self._runtime.rate_hz)

    def condition(self, speaker_id: str, samples: Samples, rate_hz: int) -> ClonedVoice:
        """What this model speaks as that person with."""
        return self._conditioner.condition(speaker_id, samples, rate_hz)


def _device(wanted: str) -> str:
    """Raises EngineError for a GPU that is not there."""
    has_gpu = torch.cuda.is_available()
    if wanted == "auto":
        return "cuda" if has_gpu else "cpu"
    if wanted != "cpu" and not has_gpu:
        raise EngineError(
            f'cloud.xtts.device is "{wanted}" and torch finds no GPU here; write "cpu", or check the driver'
        )
    return wanted


def _precision(wanted: str, kind: str) -> Precision:
    """Anything else is "auto". Raises EngineError for one that the device has not."""
    if wanted not in get_args(Precision):
        return best_precision(kind)
    if wanted == "int8" and kind != "cpu":
        raise EngineError('cloud.xtts.precision is "int8", which is for a CPU; write "auto"')
    return cast(Precision, wanted)


def _stock_voice(speakers: Mapping[str, ClonedVoice], settings: XttsSettings) -> ClonedVoice:
    """Who speaks where nobody's own voice is asked for. Raises EngineError."""
    if not speakers:
        raise EngineError(f"the model in {settings.folder} brings no voices; get speakers_xtts.pth as well")
    name = settings.voice or next(iter(speakers))
    if name not in speakers:
        some = ", ".join(list(speakers)[:5])
        raise EngineError(f'cloud.xtts.voice: there is no voice "{name}" in {settings.folder}; write one like {some}')
    return speakers[name]
