"""The runtime: many listeners at once, each of whom hears what coqui-tts would say, whatever happens to the others."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints import reference

from appliance.engines.protocols import ClonedVoice, EngineError, EngineUnavailable, Samples
from appliance.xtts import runtime as module
from appliance.xtts import schedule
from appliance.xtts.checkpoint import Checkpoint, load
from appliance.xtts.failures import EXIT_DEVICE_LOST, Failure, failure_of
from appliance.xtts.runtime import Runtime, lose_device

TOKENS = 14
FADE = 24_000 * 5 // 1000
Start = Callable[[int], Runtime]


@pytest.fixture(scope="module")
def checkpoint(tiny: Path) -> Checkpoint:
    """Always the most probable token, so that coqui-tts says the same."""
    loaded = load(tiny)
    return replace(loaded, settings=replace(loaded.settings, top_k=1))


@pytest.fixture
def voice(checkpoint: Checkpoint) -> ClonedVoice:
    return next(iter(checkpoint.speakers.values()))


@pytest.fixture
def start(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts runtimes of so many slots, that speak 14 tokens of every part."""
    monkeypatch.setattr(module, "most_tokens", lambda *_: TOKENS)
    started: list[Runtime] = []

    def starts(slots: int) -> Runtime:
        started.append(Runtime(checkpoint, slots=slots, device_lost=lambda _: None))
        return started[-1]

    yield starts
    for each in started:
        each.close()


def heard(runtime: Runtime, voice: ClonedVoice, text: str, language: str = "pt", speed: float = 1.0) -> Samples:
    pieces = list(runtime.open(voice, text, language, speed))
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def of_coqui(folder: Path, voice: ClonedVoice, text: str, language: str) -> Samples:
    """Coqui's tokens for as long as ours may be, decoded as a whole."""
    model = reference(folder)
    conditioning = torch.from_numpy(voice.conditioning)[None]
    with torch.inference_mode():
        tokens = torch.tensor([model.tokenizer.encode(text.lower(), lang=language)], dtype=torch.int32)
        generator = model.gpt.get_generator(
            fake_inputs=model.gpt.compute_embeddings(conditioning, tokens),
            top_k=1,
            do_sample=True,
            num_beams=1,
            repetition_penalty=model.config.repetition_penalty,
            output_hidden_states=True,
            return_dict_in_generate=True,
        )
        latents = torch.cat([latent for (_, latent), _ in zip(generator, range(TOKENS), strict=False)])
        embedding = torch.from_numpy(voice.speaker_embedding)[None, :, None]
        sound: Samples = model.hifigan_decoder(latents[None], g=embedding).flatten().numpy()
    return sound


def test_everybody_hears_what_coqui_says(start: Start, tiny: Path, voice: ClonedVoice) -> None:
    runtime = start(2)
    texts = [("Sim.", "pt"), ("Where is it?", "en")]
    with ThreadPoolExecutor(2) as listeners:
        sounds = list(listeners.map(lambda each: heard(runtime, voice, *each), texts))
    for (text, language), sound in zip(texts, sounds, strict=True):
        expected = of_coqui(tiny, voice, text, language)
        assert len(sound) == len(expected)
        assert np.abs(sound - expected)[FADE:-FADE].max() < 1e-4 * np.abs(expected).max()


def test_it_comes_in_pieces_the_first_of_them_soon(start: Start, voice: ClonedVoice) -> None:
    pieces = list(start(1).open(voice, "Sim.", "pt"))
    assert len(pieces) >= 2
    assert len(pieces[0]) < 24_000 * 0.25


def test_speed_is_honoured(start: Start, voice: ClonedVoice) -> None:
    runtime = start(1)
    ordinary, fast = heard(runtime, voice, "Sim."), heard(runtime, voice, "Sim.", speed=1.25)
    assert len(fast) / len(ordinary) == pytest.approx(11 / TOKENS, abs=0.01)  # whole latents: ⌊14 / 1.25⌋


def test_a_long_text_is_said_in_parts(start: Start, voice: ClonedVoice) -> None:
    runtime = start(1)
    one, both = heard(runtime, voice, "Sim."), heard(runtime, voice, "Obrigado pela sua ligação. " * 12)
    assert len(both) == 2 * len(one)
    joint = np.abs(both[len(one) - 24 : len(one) + 24])
    assert joint.max() < 0.3 * np.abs(both).max()


def test_where_there_is_nothing_to_say_nothing_is_said(start: Start, voice: ClonedVoice) -> None:
    assert not heard(start(1), voice, " … ").size


def test_no_more_are_accepted_than_are_carried_and_who_hangs_up_makes_room(start: Start, voice: ClonedVoice) -> None:
    runtime = start(1)
    first = runtime.open(voice, "Sim.", "pt")
    with pytest.raises(EngineUnavailable, match="speaks 1 texts at once"):
        runtime.open(voice, "Não.", "pt")
    next(iter(first))
    first.close()
    first.close()
    assert heard(runtime, voice, "Não.").size
    assert heard(runtime, voice, "Não.").size


def test_a_voice_of_another_model_is_refused(start: Start, voice: ClonedVoice) -> None:
    foreign = replace(voice, conditioning=np.zeros((32, 8), np.float32))
    with pytest.raises(EngineError, match="another model; enrol its speaker again"):
        start(1).open(foreign, "Sim.", "pt")


def test_out_of_memory_costs_the_newest_its_speech_and_nobody_else(
    start: Start, voice: ClonedVoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = start(2)
    first = runtime.open(voice, "Sim.", "pt")
    opened = iter(first)
    next(opened)

    def full(_: torch.Tensor) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patched:
        patched.setattr(runtime._vocoder, "open", full)
        with pytest.raises(EngineUnavailable, match="no memory is left for one more stream of XTTS beside 1 others"):
            list(runtime.open(voice, "Não.", "pt"))
    assert sum(map(len, opened)) > 0
    assert heard(runtime, voice, "Não.").size


def test_a_lost_device_ends_the_process(
    start: Start, voice: ClonedVoice, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runtime, told = start(1), list[str]()
    monkeypatch.setattr(runtime, "_device_lost", told.append)

    def lost(slots: Sequence[int]) -> dict[int, int]:
        if slots:
            raise RuntimeError("CUDA error: an illegal memory access was encountered\nmore")
        return {}

    monkeypatch.setattr(runtime._batch, "step", lost)
    with pytest.raises(EngineError, match="illegal memory access"):
        list(runtime.open(voice, "Sim.", "pt"))
    assert told == [
        "XTTS has lost its device (CUDA error: an illegal memory access was encountered); it needs a new process"
    ]
    statuses: list[int] = []
    monkeypatch.setattr(module.os, "_exit", statuses.append)
    lose_device(told[0])
    assert statuses == [EXIT_DEVICE_LOST]
    assert capsys.readouterr().err == f"{told[0]}\n"


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB"), Failure.OUT_OF_MEMORY),
        (RuntimeError("CUDA error: out of memory"), Failure.OUT_OF_MEMORY),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), Failure.OUT_OF_MEMORY),
        (torch.AcceleratorError("CUDA error: device-side assert triggered"), Failure.DEVICE_LOST),
        (RuntimeError("CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx`"), Failure.DEVICE_LOST),
        (ValueError("cuda error"), Failure.OTHER),
        (RuntimeError("shape mismatch"), Failure.OTHER),
    ],
)
def test_errors_are_told_apart(error: Exception, failure: Failure) -> None:
    assert failure_of(error) is failure


def test_the_capacity_is_measured(start: Start, voice: ClonedVoice) -> None:
    runtime = start(3)
    turn_ms = runtime.measure(voice)
    assert [streams for streams, _ in turn_ms] == [1, 2]
    assert 1 <= runtime.most_streams <= 3
    assert heard(runtime, voice, "Sim.").size  # nobody is left in a slot


def test_the_first_caller_waits_for_no_window_that_the_vocoder_has_not_met(
    start: Start, voice: ClonedVoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "most_tokens", lambda *_: 120)
    monkeypatch.setattr(schedule, "HURRY_MS", 0)  # or a machine that has other work makes small chunks
    runtime, met = start(1), set[int]()
    render = runtime._vocoder.render

    def watched(
        latents: torch.Tensor, mixing: torch.Tensor, voices: torch.Tensor, ends: torch.Tensor | None
    ) -> torch.Tensor:
        met.add(mixing.shape[1])
        return render(latents, mixing, voices, ends)

    monkeypatch.setattr(runtime._vocoder, "render", watched)
    runtime.measure(voice)
    before = set(met)
    assert heard(runtime, voice, "Sim.").size > 100_000
    assert met == before
    met.clear()
    assert heard(runtime, voice, "Sim.").size > 100_000
    assert max(met) == 128  # chunks fill their windows


def test_who_listens_when_it_is_shut_down_is_told(start: Start, voice: ClonedVoice) -> None:
    runtime = start(1)
    sound = runtime.open(voice, "Sim.", "pt")
    runtime.close()
    with pytest.raises(EngineUnavailable, match="shut down"):
        list(sound)
    with pytest.raises(EngineUnavailable, match="shut down"):
        runtime.open(voice, "Sim.", "pt")


def test_speed_may_change_while_it_speaks(start: Start, voice: ClonedVoice) -> None:
    runtime = start(1)
    ordinary, fast = len(heard(runtime, voice, "Sim.")), len(heard(runtime, voice, "Sim.", speed=2.0))
    sound = runtime.open(voice, "Sim.", "pt")
    pieces = iter(sound)
    hurried = len(next(pieces))
    sound.speed = 2.0
    hurried += sum(map(len, pieces))
    assert fast < hurried < ordinary
