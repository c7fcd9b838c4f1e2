"""Many texts spoken in one batch: each has a slot, and joins and leaves between any two steps."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from itertools import product

import torch
from torch import Tensor

from appliance.xtts import sampling as policy
from appliance.xtts.gpt import ROUND, Cache, Gpt, Places, most_spoken, positions_of, room_for
from appliance.xtts.graphs import Recordings
from appliance.xtts.known_voices import KnownVoices
from appliance.xtts.sampling import Sampling

FAKE_TOKEN = 1  # what coqui-tts says was seen at every position of voice and text


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes that a batch is computed in; what is in between is filled up. On CUDA each is recorded.

    All rising. rows, lengths: those of a step, and how far attention sees, the last as far as there is. chunks: how
    many positions of a newcomer are read at once, at most the last, so that no speaker waits for the whole of it.
    newcomers: how many are read together.
    """

    rows: tuple[int, ...]
    lengths: tuple[int, ...]
    chunks: tuple[int, ...]
    newcomers: tuple[int, ...] = (1, 2, 4, 8)


def sizes_for(device: torch.device, slots: int, positions: int) -> Sizes:
    """A GPU has few sizes, for their recordings; to a CPU every row too many is work."""
    room = room_for(positions)
    if device.type == "cuda":
        rows = tuple(1 << bit for bit in range(slots.bit_length()) if 1 << bit < slots)
        return Sizes((*rows, slots), (*range(256, room, 256), room), chunks=(64,))
    # To read 64 positions takes a CPU with matrix units 1.4 times as long as one.
    return Sizes(tuple(range(1, slots + 1)), tuple(range(ROUND, room + 1, ROUND)), chunks=(16, 32, 48, 64))


@dataclass(slots=True, eq=False)
class _Row:
    """One slot in use. `prefix`: what it reads before it speaks (positions, width), `read` of them so far.

    `voice`: with what the prefix begins, while it is not among the known voices.
    """

    prefix: Tensor
    voice: Tensor | None
    read: int = 0
    spoken: int = 0  # tokens

    @property
    def unread(self) -> int:
        return len(self.prefix) - self.read


class Batch:
    """`slots` texts at most, of `positions` each at most: voice, text and speech. Not for several threads.

    What is on the device stays there; the host says who takes part in a step, and looks at the tokens after it.
    """

    def __init__(self, gpt: Gpt, slots: int, positions: int | None = None, sizes: Sizes | None = None) -> None:
        self._gpt = gpt
        positions = positions or positions_of(gpt.settings)
        self._sizes = sizes or sizes_for(gpt.device, slots, positions)
        self._free = list(range(slots))  # the lowest first: a step computes every row below the last one in use
        self._rows: dict[int, _Row] = {}
        self._spare = slots  # for rows that fill up a batch of newcomers
        self._most_audio = most_spoken(gpt.settings)
        self._recordings = Recordings(gpt.device)
        with torch.inference_mode():
            self._make_room(slots + 1, positions)

    @property
    def has_room(self) -> bool:
        """Whether somebody can join."""
        return bool(self._free)

    def join(self, conditioning: Tensor, text: Sequence[int], sampling: Sampling) -> int:
        """Take a slot for `text` (tokens, without start and stop) in the voice of `conditioning` (latents, width).

        It speaks after it has been read. Raises ValueError where there is no room, or the text is too long.
        """
        if not self._free:
            raise ValueError(f"all {self._spare} slots are taken")
        if len(text) >= self._gpt.settings.most_text_tokens:
            raise ValueError(f"the text has {len(text)} tokens and may have {self._gpt.settings.most_text_tokens - 1}")
        with torch.inference_mode():
            prefix = self._gpt.prefix(conditioning, torch.tensor(text, dtype=torch.int64, device=self._gpt.device))
            if len(prefix) > self._cache.positions:
                raise ValueError(f"voice and text take {len(prefix)} positions, of {self._cache.positions}")
            slot = heappop(self._free)
            self._seen[slot] = False
            self._seen[slot, [FAKE_TOKEN, self._gpt.settings.start_audio_token]] = True
            policy.put(self._rules, slot, sampling, self._gpt.audio_tokens)
            known = self._voices.recall(slot, conditioning)
        self._rows[slot] = _Row(prefix, None if known else conditioning, read=known)
        return slot

    def leave(self, slot: int) -> None:
        """Give the slot to whoever comes next. Idempotent."""
        if self._rows.pop(slot, None):
            heappush(self._free, slot)

    def unread(self, slot: int) -> int:
        """How many positions have to be read before it speaks."""
        return self._rows[slot].unread

    def is_full(self, slot: int) -> bool:
        """Whether there is no room for another token: it has to leave."""
        row = self._rows[slot]
        return row.spoken >= self._most_audio or len(row.prefix) + row.spoken > self._cache.positions

    def latents(self, slot: int, first: int, end: int) -> Tensor:
        """What the vocoder takes, of tokens `first` to `end` (tokens, width). Overwritten after the slot has left."""
        return self._latents[slot, first:end]

    def read(self, slots: Sequence[int]) -> dict[int, int]:
        """Read the next chunk of some newcomers. Returns the first token of each that has been read to its end."""
        with torch.inference_mode():
            for some in _portions(slots, self._sizes.newcomers[-1]):
                self._read(some)
            return self._heard([slot for slot in slots if self._rows[slot].spoken])

    def step(self, slots: Collection[int]) -> dict[int, int]:
        """Speak one token more with each of `slots`, all of which have been read. Returns the tokens."""
        if not slots:
            return {}
        count = _at_least(self._sizes.rows, max(slots) + 1)
        with torch.inference_mode():
            length = self._plan_step(slots, count)
            self._recordings.run(("step", count, length), partial(self._compute_step, count, length))
            for slot in slots:
                self._rows[slot].spoken += 1
            return self._heard(slots)

    def record(self) -> None:
        """Run every size once, and on CUDA record it. Nobody may have joined."""
        with torch.inference_mode():
            self._plan_step((), len(self._steps[0]))
            self._plan_reading((), len(self._newcomers), self._sizes.chunks[-1])
            for length in self._sizes.lengths:
                for count in self._sizes.rows:
                    self._recordings.record(("step", count, length), partial(self._compute_step, count, length))
                for count, size in product(self._sizes.newcomers, self._sizes.chunks):
                    work = partial(self._compute_reading, count, size, length)
                    self._recordings.record(("read", count, size, length), work)

    def _make_room(self, slots: int, positions: int) -> None:
        gpt, device = self._gpt, self._gpt.device
        most, chunk = self._sizes.newcomers[-1], self._sizes.chunks[-1]
        whole = partial(torch.zeros, dtype=torch.int64, device=device)
        self._cache = Cache(gpt.settings, slots, positions, device, gpt.dtype)
        self._voices = KnownVoices(self._cache)
        self._latents = torch.zeros(slots, self._most_audio + 1, gpt.settings.width, device=device, dtype=gpt.dtype)
        self._tokens = whole(slots)
        self._seen = torch.zeros(slots, gpt.audio_tokens, dtype=torch.bool, device=device)
        self._rules = policy.rows_for(slots, device)
        self._every = torch.arange(max(slots, most), device=device)
        # For a step: where its token is read, its place among the audio tokens, and the number of the next.
        self._steps = whole((3, slots))
        self._chunks = torch.zeros(most, chunk, gpt.settings.width, device=device, dtype=gpt.dtype)
        self._chunk_positions = whole((most, chunk))
        # For newcomers: their slots, which position of the chunk speaks, and the number of its token.
        self._newcomers = whole((most, 3))

    def _plan_step(self, slots: Iterable[int], count: int) -> int:
        """Tell the device who takes part; how far attention has to see."""
        plan = [[self._cache.nowhere] * count, [0] * count, [self._most_audio] * count]
        furthest = 0
        for slot in slots:
            row = self._rows[slot]
            position = len(row.prefix) + row.spoken - 1
            furthest = max(furthest, position)
            plan[0][slot], plan[1][slot], plan[2][slot] = position, row.spoken, row.spoken
        self._steps[:, :count] = torch.tensor(plan)
        return _at_least(self._sizes.lengths, furthest + 1)

    def _compute_step(self, count: int, length: int) -> None:
        slots, (positions, places, numbers) = self._every[:count], self._steps[:, :count]
        x = self._gpt.spoken(self._tokens[:count], places)[:, None]
        hidden = self._gpt.read(x, Places(slots, positions[:, None], length, in_order=True), self._cache)
        self._choose(hidden[:, 0], slots, numbers)

    def _read(self, slots: Sequence[int]) -> None:
        count = _at_least(self._sizes.newcomers, len(slots))
        size = _at_least(self._sizes.chunks, max(self._rows[slot].unread for slot in slots))
        length = self._plan_reading(slots, count, size)
        self._recordings.run(("read", count, size, length), partial(self._compute_reading, count, size, length))
        for slot in slots:
            row = self._rows[slot]
            row.read += min(row.unread, size)
            row.spoken = 0 if row.unread else 1
            if row.voice is not None and row.read >= len(row.voice):
                self._voices.learn(slot, row.voice)
                row.voice = None

    def _plan_reading(self, slots: Sequence[int], count: int, size: int) -> int:
        plan, furthest = [[self._spare, 0, self._most_audio]] * count, 0
        positions = torch.full((count, size), self._cache.nowhere)
        for place, slot in enumerate(slots):
            row = self._rows[slot]
            taken = min(row.unread, size)
            end = row.read + taken
            plan[place] = [slot, taken - 1, 0 if end == len(row.prefix) else self._most_audio]
            positions[place, :taken] = torch.arange(row.read, end)
            self._chunks[place, :taken] = row.prefix[row.read : end]
            furthest = max(furthest, end)
        self._newcomers[:count] = torch.tensor(plan)
        self._chunk_positions[:count, :size] = positions
        return _at_least(self._sizes.lengths, furthest)

    def _compute_reading(self, count: int, size: int, length: int) -> None:
        slots, speaking, numbers = self._newcomers[:count].unbind(1)
        places = Places(slots, self._chunk_positions[:count, :size], length, in_order=False)
        hidden = self._gpt.read(self._chunks[:count, :size], places, self._cache)
        self._choose(hidden[self._every[:count], speaking], slots, numbers)

    def _choose(self, hidden: Tensor, slots: Tensor, numbers: Tensor) -> None:
        """The next token of each row, from its hidden state; `numbers` says which one, and who only fills up."""
        wanted = numbers != self._most_audio
        latents, logits = self._gpt.speak(hidden)
        self._latents[slots, numbers] = latents
        rules = policy.at(self._rules, slots)
        left = policy.scores(logits, self._seen[slots], rules)
        tokens = policy.drawn(left, policy.uniform(rules.seed, numbers))
        self._tokens[slots] = torch.where(wanted, tokens, self._tokens[slots])
        self._seen[slots, tokens] |= wanted

    def _heard(self, slots: Collection[int]) -> dict[int, int]:
        """The newest tokens; here the host waits for the device."""
        if not slots:
            return {}
        tokens: list[int] = self._tokens.tolist()
        return {slot: tokens[slot] for slot in slots}


def _portions(slots: Sequence[int], most: int) -> Iterable[Sequence[int]]:
    return (slots[first : first + most] for first in range(0, len(slots), most))


def _at_least(sizes: Sequence[int], wanted: int) -> int:
    return next((size for size in sizes if size >= wanted), sizes[-1])
