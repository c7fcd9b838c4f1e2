"""Latents to speech while they come: each sample is computed once, for many streams in one call.

A window of a stream gives what decoding all of it would (coqui-tts's `HifiDecoder`), because the two interpolations
that come first are taken at absolute positions, and a window brings as many frames more, on either side, as a sample
looks.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from appliance.xtts.hifigan import CONTEXT_FRAMES, HifiGan
from appliance.xtts.settings import Settings

# Windows are filled up to one of these lengths in frames (10.67 ms each), and on a GPU calls to a power of two of rows,
# so that a CUDA graph, or a compiled kernel, of each shape is all that is needed: see `Vocoder.render`.
WINDOWS_FRAMES = (32, 40, 48, 64, 96, 128, 192, 256)
MOST_ROWS = 64
FEW_LATENTS = 64  # more than any window has


class VocoderStream:
    """One utterance on its way to sound: its latents so far, and how much of it has been told.

    A stream belongs to one `Vocoder`, which made it, and to one thread.
    """

    def __init__(self, voice: Tensor, latents: Tensor) -> None:
        self.voice = voice  # (512,)
        self.latents = latents  # (most, width); the first `known` are those of the utterance
        self.known = 0
        self.told_frames = 0
        self.ended = False

    def push(self, latents: Tensor) -> None:
        """The next latents, (count, width). Raises ValueError after the end, and for more than the model can make."""
        if self.ended:
            raise ValueError("this stream has ended")
        if self.known + len(latents) > len(self.latents):
            raise ValueError(f"an utterance has at most {len(self.latents)} latents")
        self.latents[self.known : self.known + len(latents)] = latents
        self.known += len(latents)

    def finish(self) -> None:
        """There are no more latents: the next `Vocoder.decode` gives the tail. Idempotent."""
        # Interpolation at the end is as if the last latent went on.
        if not self.ended and self.known:
            self.latents[self.known :] = self.latents[self.known - 1]
        self.ended = True


@dataclass(frozen=True, slots=True)
class _Window:
    """The frames from `start` to `start + size` of `stream`, of which those from `first` to `end` are wanted."""

    stream: VocoderStream
    start: int
    size: int
    first: int
    end: int
    row_end: int  # how many frames of it there are before the utterance ends; `size` or more: it is full


class Vocoder:
    """The vocoder of one model on one device."""

    def __init__(
        self,
        weights: Mapping[str, Tensor],
        settings: Settings,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._device = torch.device(device)
        # Half precision on a CPU is bfloat16, for which there are matrix units; float16 is slower than float32.
        self._dtype = torch.bfloat16 if dtype == torch.float16 and self._device.type == "cpu" else dtype
        self._generator = HifiGan(weights, self._device, self._dtype)
        self._settings = settings
        self._stretch = settings.rate_hz / settings.latent_rate_hz
        self._factor = settings.latent_samples // settings.frame_samples
        with torch.inference_mode():
            self._mixing = self._interpolation(settings.most_audio_tokens, self._stretch).to(self._device)
            self._mixing_of_few = self._interpolation(FEW_LATENTS, 1.0).to(self._device)
        self.samples_per_frame = settings.frame_samples

    def open(self, speaker_embedding: Tensor) -> VocoderStream:
        """Begin an utterance by the speaker of this embedding, (512,) or any shape with so many numbers."""
        latents = torch.zeros(
            self._settings.most_audio_tokens, self._settings.width, device=self._device, dtype=torch.float32
        )
        return VocoderStream(speaker_embedding.flatten().to(self._device, self._dtype), latents)

    def decode(self, streams: Sequence[VocoderStream]) -> list[Tensor]:
        """What has become final of each stream since the last call: float32 at 24 kHz, on the CPU, from none to all.

        About 1114.56 samples a latent; the newest 3 latents or so wait for more, or for `finish`. A sample is never
        told twice, and never changes.
        """
        parts: list[list[Tensor]] = [[] for _ in streams]
        while windows := list(self._due(streams)):
            for size in sorted({window.size for _, window in windows}):
                group = [(place, window) for place, window in windows if window.size == size]
                for first in range(0, len(group), MOST_ROWS):
                    some = group[first : first + MOST_ROWS]
                    sounds = self._sounds([window for _, window in some])
                    for (place, window), sound in zip(some, sounds, strict=True):
                        window.stream.told_frames = window.end
                        parts[place].append(sound)
        return [torch.cat(part) if part else torch.zeros(0) for part in parts]

    def warm(self, speaker_embedding: Tensor) -> None:
        """Compute a window of each size: one that the processor has not met takes 0.1 s and more."""
        for frames in WINDOWS_FRAMES:
            stream = self.open(speaker_embedding)
            stream.push(torch.zeros(int(frames / (self._factor * self._stretch)), self._settings.width))
            stream.finish()
            self.decode([stream])

    def render(self, latents: Tensor, mixing: Tensor, voices: Tensor, ends: Tensor | None) -> Tensor:
        """(rows, latents, width), (rows, frames, latents), (rows, 512) → (rows, frames · 256): one call of the network.

        Its shapes are few: rows a power of two up to 64, frames one of WINDOWS_FRAMES, latents as many as that needs,
        and `ends` (rows,) there or not; nothing in it looks at a value, so a CUDA graph of each shape can stand for it.
        """
        frames = torch.bmm(mixing, latents).to(self._dtype)
        return self._generator(frames, voices, ends)

    def _due(self, streams: Sequence[VocoderStream]) -> Iterator[tuple[int, _Window]]:
        for place, stream in enumerate(streams):
            final = self._final_frames(stream)
            if stream.told_frames < final:
                yield place, self._window(stream, final)

    def _final_frames(self, stream: VocoderStream) -> int:
        """How many frames of `stream` will never sound otherwise, whatever latents follow."""
        if stream.ended:
            return self._frames(stream.known)
        # Frame n lies at (n + 0.5) / stretch - 0.5 among those of the first interpolation, the last of which that no
        # later latent changes is the third from the end.
        last = self._factor * stream.known - (self._factor // 2 + 1)
        return max(0, math.floor((last + 0.5) * self._stretch - 0.5) - CONTEXT_FRAMES)

    def _frames(self, latents: int) -> int:
        """How many frames an utterance has, as torch counts them."""
        return math.floor(float(latents * self._factor) * self._stretch)

    def _window(self, stream: VocoderStream, final: int) -> _Window:
        first = stream.told_frames
        start = max(0, first - CONTEXT_FRAMES)
        end = min(final, start + WINDOWS_FRAMES[-1] - CONTEXT_FRAMES)
        needed = end + CONTEXT_FRAMES - start
        if not stream.ended:
            return _Window(stream, start, _at_least(needed), first, end, _at_least(needed))
        whole = self._frames(stream.known)
        needed = min(needed, whole - start)
        size = _at_least(needed)
        start = max(0, min(start, whole - size))  # rather more of what was told than nothing after the end
        return _Window(stream, start, size, first, end, whole - start)

    def _sounds(self, windows: Sequence[_Window]) -> list[Tensor]:
        size, rows = windows[0].size, self._rows(len(windows))
        with torch.inference_mode():
            latents, mixing, voices = self._inputs(windows, rows)
            ends = None
            if any(window.row_end < size for window in windows):
                row_ends = [min(size, window.row_end) for window in windows] + [size] * (rows - len(windows))
                ends = torch.tensor(row_ends, device=self._device)
            sounds = self.render(latents, mixing, voices, ends).float().cpu()
        each = self.samples_per_frame
        return [
            sound[(window.first - window.start) * each : (window.end - window.start) * each].clone()
            for window, sound in zip(windows, sounds, strict=False)
        ]

    def _inputs(self, windows: Sequence[_Window], rows: int) -> tuple[Tensor, Tensor, Tensor]:
        """Latents, how they are mixed into frames, and voices; the last row again where there are more rows."""
        size = windows[0].size
        count = min(self._latents_under(size), len(self._mixing[0]))
        chosen = list(windows) + [windows[-1]] * (rows - len(windows))
        firsts = [min(self._first_latent(window.start), len(self._mixing[0]) - count) for window in chosen]
        latents = [window.stream.latents[first : first + count] for window, first in zip(chosen, firsts, strict=True)]
        mixing = [
            self._mixing_for(window.stream)[window.start : window.start + size, first : first + count]
            for window, first in zip(chosen, firsts, strict=True)
        ]
        voices = [window.stream.voice for window in chosen]
        return torch.stack(latents), torch.stack(mixing), torch.stack(voices)

    def _rows(self, count: int) -> int:
        return count if self._device.type == "cpu" else 1 << (count - 1).bit_length()

    def _first_latent(self, frame: int) -> int:
        """The first one that has a part in `frame`, or one before."""
        return max(0, math.floor(frame / (self._factor * self._stretch) - 1))

    def _latents_under(self, frames: int) -> int:
        """In how many a window of so many frames has a part, wherever it begins."""
        return math.ceil(frames / (self._factor * self._stretch)) + 4

    def _mixing_for(self, stream: VocoderStream) -> Tensor:
        # Where the second interpolation has no more frames than the first (one or two latents), torch only copies.
        few = stream.ended and self._frames(stream.known) == stream.known * self._factor
        return self._mixing_of_few if few else self._mixing

    def _interpolation(self, latents: int, stretch: float) -> Tensor:
        """(frames, latents): what each latent has to do with each frame, as torch itself interpolates.

        Asked of torch, because it computes positions in float32: near the end of a long utterance they are off by 1e-4,
        which another computation would not repeat. Windows may reach beyond the last frame: zeros there.
        """
        alone = torch.eye(latents)[None]
        finer = functional.interpolate(alone, scale_factor=[float(self._factor)], mode="linear")
        if stretch != 1:
            finer = functional.interpolate(finer, scale_factor=[stretch], mode="linear")
        return functional.pad(finer[0].T, (0, 0, 0, WINDOWS_FRAMES[-1])).contiguous()


def _at_least(frames: int) -> int:
    return next(size for size in WINDOWS_FRAMES if size >= frames)
