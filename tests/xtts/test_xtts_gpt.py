"""Our GPT speaks what coqui-tts's own speaks, alone and in a batch that people join and leave."""

import random
from pathlib import Path

import pytest
import torch
from shaken import TEXTS, Reference, make_reference

from appliance.xtts.batch import Batch, Sizes
from appliance.xtts.gpt import Cache, Gpt
from appliance.xtts.known_voices import KnownVoices
from appliance.xtts.packed import is_packed_better, packed
from appliance.xtts.sampling import Sampling

MOST_PROBABLE = Sampling(top_k=1)
TOKENS = 24
Spoken = dict[int, tuple[list[int], torch.Tensor]]  # by the number of the text: tokens, and their latents

SIZES = {
    "as-on-a-cpu": None,
    "as-on-a-gpu": Sizes(rows=(2, 4), lengths=(128, 288, 1088), chunks=(24,), newcomers=(2, 4)),
}


@pytest.fixture(scope="module")
def coqui(tiny: Path) -> Reference:
    return make_reference(tiny)


@pytest.fixture(scope="module")
def expected(coqui: Reference) -> Spoken:
    spoken: Spoken = {}
    for number, (text, language) in enumerate(TEXTS):
        steps = coqui.spoken(text, language, number % 2, MOST_PROBABLE)
        tokens, latents = zip(*(step for step, _ in zip(steps, range(TOKENS), strict=False)), strict=True)
        spoken[number] = (list(tokens), torch.stack(latents))
    return spoken


def join(batch: Batch, coqui: Reference, number: int, sampling: Sampling = MOST_PROBABLE) -> int:
    return batch.join(coqui.voices[number % 2], coqui.tokens(*TEXTS[number]), sampling)


def speak_alone(batch: Batch, slot: int, count: int) -> list[int]:
    tokens: list[int] = []
    while batch.unread(slot):
        tokens += batch.read([slot]).values()
    while len(tokens) < count:
        tokens += batch.step([slot]).values()
    return tokens


def check(spoken: tuple[list[int], torch.Tensor], expected: tuple[list[int], torch.Tensor]) -> None:
    assert spoken[0] == expected[0]
    assert torch.linalg.norm(spoken[1] - expected[1]) <= 1e-3 * torch.linalg.norm(expected[1])


def test_the_texts_are_told_apart(expected: Spoken) -> None:
    """Or nothing here would prove anything; and some come to their end."""
    assert len({tuple(tokens[:4]) for tokens, _ in expected.values()}) == len(TEXTS)
    assert {len(tokens) < TOKENS for tokens, _ in expected.values()} == {True, False}


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_alone_it_speaks_as_coqui_does(coqui: Reference, expected: Spoken, number: int) -> None:
    batch = Batch(coqui.gpt, slots=1)
    slot, count = join(batch, coqui, number), len(expected[number][0])
    tokens = speak_alone(batch, slot, count)
    check((tokens, batch.latents(slot, 0, count)), expected[number])


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES.keys())
def test_in_company_that_comes_and_goes_as_well(coqui: Reference, expected: Spoken, sizes: Sizes | None) -> None:
    chance, batch = random.Random(11), Batch(coqui.gpt, slots=4, sizes=sizes)
    if sizes:
        batch.record()
    waiting, here, tokens = list(expected), dict[int, int](), {number: list[int]() for number in expected}
    while waiting or here:
        if waiting and batch.has_room and chance.random() < 0.4:
            number = waiting.pop(0)
            here[join(batch, coqui, number)] = number
        reading = [slot for slot in here if batch.unread(slot)]
        heard = batch.read(reading[:2])
        heard |= batch.step([slot for slot in here if slot not in reading and chance.random() < 0.8])
        for slot, token in heard.items():
            spoken = tokens[here[slot]]
            spoken.append(token)
            if token == coqui.gpt.settings.stop_audio_token or len(spoken) == TOKENS:
                check((spoken, batch.latents(slot, 0, len(spoken))), expected[here[slot]])
                batch.leave(slot)
                del here[slot]


def test_who_leaves_early_leaves_nothing_behind(coqui: Reference, expected: Spoken) -> None:
    batch = Batch(coqui.gpt, slots=2)
    left = join(batch, coqui, 7, Sampling(seed=5))
    speak_alone(batch, left, 40)
    batch.leave(left)
    batch.leave(left)
    slot, count = join(batch, coqui, 3), len(expected[3][0])
    assert slot == left
    check((speak_alone(batch, slot, count), batch.latents(slot, 0, count)), expected[3])


def test_a_voice_is_read_once_for_all_its_texts(coqui: Reference, expected: Spoken) -> None:
    batch = Batch(coqui.gpt, slots=3)
    latents = len(coqui.voices[0])
    for number in (3, 5, 1):  # of one voice, in two slots
        slot, count = join(batch, coqui, number), len(expected[number][0])
        assert batch.unread(slot) == len(coqui.tokens(*TEXTS[number])) + 3 + (latents if number == 3 else 0)
        check((speak_alone(batch, slot, count), batch.latents(slot, 0, count)), expected[number])
        if number == 5:
            batch.leave(slot)
    other = join(batch, coqui, 2)
    assert batch.unread(other) > latents


def test_of_many_voices_the_one_not_heard_for_longest_is_forgotten(coqui: Reference) -> None:
    cache = Cache(coqui.gpt.settings, 1, 64, torch.device("cpu"), torch.float32)
    known, voices = KnownVoices(cache, most=2), [torch.randn(32, 8) for _ in range(3)]
    for voice in voices[:2]:
        known.learn(0, voice)
    assert known.recall(0, voices[0]) == 32
    known.learn(0, voices[2])
    assert [known.recall(0, voice) for voice in voices] == [32, 0, 32]


def test_a_seed_says_what_is_spoken_in_any_company(coqui: Reference) -> None:
    batch = Batch(coqui.gpt, slots=3)
    alone = speak_alone(batch, join(batch, coqui, 3, Sampling(seed=1)), 12)
    batch.leave(0)
    slots = [join(batch, coqui, number, Sampling(seed=seed)) for number, seed in ((2, 1), (3, 2), (3, 1))]
    heard = {slot: list[int]() for slot in slots}
    while any(map(batch.unread, slots)):
        for slot, token in batch.read([slot for slot in slots if batch.unread(slot)]).items():
            heard[slot].append(token)
    while len(heard[slots[2]]) < 12:
        for slot, token in batch.step(slots).items():
            heard[slot].append(token)
    assert heard[slots[2]][:12] == alone
    assert heard[slots[1]][:12] != alone


def test_it_says_when_there_is_no_room(coqui: Reference) -> None:
    batch = Batch(coqui.gpt, slots=1, positions=64)
    with pytest.raises(ValueError, match="402 tokens and may have 401"):
        batch.join(coqui.voices[0], [3] * 402, MOST_PROBABLE)
    with pytest.raises(ValueError, match="take 65 positions, of 64"):
        batch.join(coqui.voices[0], [3] * 30, MOST_PROBABLE)
    slot = batch.join(coqui.voices[0], [3] * 20, MOST_PROBABLE)
    with pytest.raises(ValueError, match="all 1 slots are taken"):
        batch.join(coqui.voices[0], [3] * 20, MOST_PROBABLE)
    spoken = len(speak_alone(batch, slot, 1))
    while not batch.is_full(slot):
        batch.step([slot])
        spoken += 1
    assert spoken == 64 - (32 + 20 + 2 + 1) + 1  # the last token needs no position of its own


@pytest.mark.skipif(not is_packed_better(torch.device("cpu"), torch.bfloat16), reason="no units for bfloat16")
def test_weights_that_lie_otherwise_give_the_same() -> None:
    weight, bias, x = (torch.randn(*shape).bfloat16() for shape in ((96, 64), (96,), (2, 5, 64)))
    torch.testing.assert_close(packed(weight, bias)(x), torch.nn.functional.linear(x, weight, bias))


def test_eight_bits_are_nearly_as_good(coqui: Reference, expected: Spoken) -> None:
    gpt = Gpt(coqui.model.state_dict(), coqui.gpt.settings, torch.device("cpu"), "int8")
    batch = Batch(gpt, slots=1)
    slot = join(batch, coqui, 4)
    speak_alone(batch, slot, 1)
    difference = torch.linalg.norm(batch.latents(slot, 0, 1) - expected[4][1][:1])
    assert difference < 0.1 * torch.linalg.norm(expected[4][1][:1])
