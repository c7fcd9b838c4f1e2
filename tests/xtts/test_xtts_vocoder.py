"""The vocoder gives what decoding a whole utterance at once would, however its latents come and whoever else speaks."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoints import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.media.resample import resample
from appliance.units import FRAME_BYTES
from appliance.xtts.checkpoint import Checkpoint, load
from appliance.xtts.hifigan import CONTEXT_FRAMES
from appliance.xtts.pcm import FrameMaker
from appliance.xtts.schedule import LONGEST_CHUNK_TOKENS
from appliance.xtts.vocoder import MOST_ROWS, WINDOWS_FRAMES, Vocoder, VocoderStream

WIDTH = 64
EXACT = 1e-5
torch.set_num_threads(2)


@pytest.fixture(scope="module")
def checkpoint(tiny: Path) -> Checkpoint:
    return load(tiny)


@pytest.fixture(scope="module")
def vocoder(checkpoint: Checkpoint) -> Vocoder:
    return Vocoder(checkpoint.weights, checkpoint.settings)


@pytest.fixture(scope="module")
def decoder(tiny: Path) -> Any:
    """Coqui's own HifiDecoder."""
    return reference(tiny).hifigan_decoder


def latents(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed)) * 2


def voice(seed: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(512, generator=torch.Generator().manual_seed(seed)), dim=0) * 20


def whole(decoder: Any, spoken: torch.Tensor, speaker: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return decoder(spoken[None], g=speaker[None, :, None]).flatten()


def streamed(vocoder: Vocoder, spoken: torch.Tensor, speaker: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    stream, told, place = vocoder.open(speaker), [], 0
    for size in sizes:
        stream.push(spoken[place : place + size])
        place += size
        told += vocoder.decode([stream])
    stream.push(spoken[place:])
    stream.finish()
    return torch.cat([*told, *vocoder.decode([stream])])


@settings(max_examples=8, deadline=None)
@given(count=st.integers(1, 30), sizes=st.lists(st.integers(0, 14), max_size=6), seed=st.integers(0, 99))
def test_however_latents_come_it_sounds_as_coquis_decoder_does(
    vocoder: Vocoder, decoder: Any, count: int, sizes: list[int], seed: int
) -> None:
    sizes = [size for place, size in enumerate(sizes) if sum(sizes[: place + 1]) <= count]
    spoken, speaker = latents(count, seed), voice(seed)
    ours, theirs = streamed(vocoder, spoken, speaker, sizes), whole(decoder, spoken, speaker)
    assert ours.shape == theirs.shape
    assert float((ours - theirs).abs().max()) <= EXACT
    assert float(theirs.abs().max()) > 0.01  # and it is no silence


def test_the_longest_utterance_is_exact_at_its_end_too(vocoder: Vocoder, decoder: Any, checkpoint: Checkpoint) -> None:
    """Torch's positions are off by 1e-4 there. Only the last half second is decoded, which is what takes long."""
    spoken, speaker = latents(checkpoint.settings.most_audio_tokens, 7), voice(7)
    with torch.inference_mode():
        frames = torch.nn.functional.interpolate(spoken.T[None], scale_factor=[4.0], mode="linear")
        frames = torch.nn.functional.interpolate(frames, scale_factor=[24_000 / 22_050], mode="linear")
        theirs = decoder.waveform_decoder(frames[:, :, -70:], g=speaker[None, :, None])[0, 0, -50 * 256 :]
    stream = vocoder.open(speaker)
    stream.push(spoken)
    stream.finish()
    stream.told_frames = frames.shape[2] - 50
    ours = vocoder.decode([stream])[0]
    assert ours.shape == theirs.shape
    assert float((ours - theirs).abs().max()) <= EXACT


def test_many_streams_in_one_call_sound_as_each_alone(vocoder: Vocoder, decoder: Any) -> None:
    counts = (1, 2, 3, 8, 20)
    streams = [vocoder.open(voice(count)) for count in counts]
    told: list[list[torch.Tensor]] = [[] for _ in counts]
    for step in range(0, max(counts), 8):
        for stream, count in zip(streams, counts, strict=True):
            if not stream.ended:
                stream.push(latents(count, count)[step : step + 8])
                if step + 8 >= count:
                    stream.finish()
        for parts, part in zip(told, vocoder.decode(streams), strict=True):
            parts.append(part)
    for count, parts in zip(counts, told, strict=True):
        theirs = whole(decoder, latents(count, count), voice(count))
        assert float((torch.cat(parts) - theirs).abs().max()) <= EXACT


def test_what_is_told_is_all_that_is_final_and_never_told_again(vocoder: Vocoder) -> None:
    stream = vocoder.open(voice(1))
    assert len(vocoder.decode([stream])[0]) == 0
    stream.push(latents(20, 1))
    told = len(vocoder.decode([stream])[0])
    assert len(vocoder.decode([stream])[0]) == 0
    full = int(20 * 1114.56)
    assert full - 5 * 1114.56 < told < full - CONTEXT_FRAMES * vocoder.samples_per_frame
    stream.finish()
    stream.finish()
    assert told + len(vocoder.decode([stream])[0]) == pytest.approx(full, abs=256)
    assert len(vocoder.decode([stream])[0]) == 0


def test_a_stream_takes_nothing_after_its_end_and_no_more_than_the_model_makes(
    vocoder: Vocoder, checkpoint: Checkpoint
) -> None:
    stream = vocoder.open(voice(1))
    stream.finish()
    assert len(vocoder.decode([stream])[0]) == 0
    with pytest.raises(ValueError, match="has ended"):
        stream.push(latents(1, 1))
    with pytest.raises(ValueError, match="at most 605"):
        vocoder.open(voice(1)).push(latents(checkpoint.settings.most_audio_tokens + 1, 1))


@pytest.mark.parametrize(("tokens", "frames"), [(LONGEST_CHUNK_TOKENS, 128), (LONGEST_CHUNK_TOKENS + 1, 192)])
def test_the_longest_chunk_fills_its_window(
    vocoder: Vocoder, monkeypatch: pytest.MonkeyPatch, tokens: int, frames: int
) -> None:
    sizes: list[int] = []

    def rendered(_: torch.Tensor, mixing: torch.Tensor, *_more: object) -> torch.Tensor:
        sizes.append(mixing.shape[1])
        return torch.zeros(len(mixing), mixing.shape[1] * vocoder.samples_per_frame)

    monkeypatch.setattr(vocoder, "render", rendered)
    stream = vocoder.open(voice(1))
    for _ in range(20):
        stream.push(latents(tokens, 1))
        vocoder.decode([stream])
    assert max(sizes[1:]) == frames


def test_the_network_is_called_with_few_shapes(checkpoint: Checkpoint) -> None:
    shapes = set()

    class Watched(Vocoder):
        def render(
            self, latents: torch.Tensor, mixing: torch.Tensor, voices: torch.Tensor, ends: torch.Tensor | None
        ) -> torch.Tensor:
            del voices, ends
            shapes.add((len(latents), latents.shape[1], mixing.shape[1]))
            return torch.zeros(len(latents), mixing.shape[1] * self.samples_per_frame)

    vocoder = Watched(checkpoint.weights, checkpoint.settings)
    streams: list[VocoderStream] = []
    for step in range(60):
        streams.append(vocoder.open(voice(1)))
        for number, stream in enumerate(streams):
            stream.push(latents(1 + (step + number) % 9, 1))
        vocoder.decode(streams)
    assert {frames for _rows, _latents, frames in shapes} <= set(WINDOWS_FRAMES)
    assert len({(latents, frames) for _rows, latents, frames in shapes}) == len({each for *_, each in shapes})
    assert max(rows for rows, *_ in shapes) <= MOST_ROWS


def test_half_precision_is_close(checkpoint: Checkpoint, decoder: Any) -> None:
    spoken, speaker = latents(12, 3), voice(3)
    ours = streamed(Vocoder(checkpoint.weights, checkpoint.settings, dtype=torch.bfloat16), spoken, speaker, [5])
    theirs = whole(decoder, spoken, speaker)
    noise_db = 10 * torch.log10((ours - theirs).pow(2).mean() / theirs.pow(2).mean())
    assert float(noise_db) < -30


@given(cuts=st.lists(st.integers(0, 3000), max_size=8))
def test_frames_come_out_the_same_however_the_sound_goes_in(cuts: list[int]) -> None:
    sound = np.random.default_rng(1).uniform(-0.5, 0.5, 6000).astype(np.float32)
    maker, frames, place = FrameMaker(), [], 0
    for cut in cuts:
        frames += maker.push(sound[place : place + cut])
        place += cut
    frames += maker.push(sound[place:]) + maker.finish()
    assert {len(frame) for frame in frames} == {FRAME_BYTES}
    expected = resample(sound, 24_000)
    pcm = np.frombuffer(b"".join(frames), "<i2")[: len(expected)]
    assert len(frames) == -(-len(expected) // (FRAME_BYTES // 2))
    np.testing.assert_allclose(pcm / 32_767, np.clip(expected, -1, 1), atol=2e-4)
    assert maker.finish() == []
