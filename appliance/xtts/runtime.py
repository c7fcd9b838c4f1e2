"""The one thread that owns the model: texts are handed to it and listened to by any other."""

import os
import sys
from collections.abc import Callable, Sequence
from itertools import count
from threading import Condition, Thread
from time import perf_counter

import torch

from appliance.clock import now_ns
from appliance.engines.protocols import ClonedVoice, EngineError, EngineUnavailable
from appliance.xtts.batch import Batch
from appliance.xtts.checkpoint import Checkpoint
from appliance.xtts.failures import EXIT_DEVICE_LOST, Failure, failure_of
from appliance.xtts.gpt import Gpt, Precision
from appliance.xtts.guards import Joint, end_guard, most_tokens, parts
from appliance.xtts.precision import vocoder_dtype
from appliance.xtts.sampling import Sampling
from appliance.xtts.schedule import LONGEST_CHUNK_TOKENS, Limits, capacity, next_turn
from appliance.xtts.settings import CONDITIONING_LATENTS, SPEAKER_SIZE
from appliance.xtts.utterance import Part, Request, Speaking, Utterance
from appliance.xtts.vocoder import Vocoder

LIMITS = {"cpu": Limits(read=1, tell=1), "cuda": Limits(read=8, tell=16)}
IDLE_S = 0.005  # where everybody is far enough ahead
MEASURED_STEPS = 3
STRANGER = 3  # a token of no meaning, for measuring


def lose_device(message: str) -> None:
    """End this process at once, from any thread: the watchdog starts one with a new CUDA context."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()
    os._exit(EXIT_DEVICE_LOST)


class Runtime:
    """XTTS v2 for at most `slots` texts at once, on "cpu" or "cuda"; `threads` of a CPU compute.

    `device_lost` is called when the device has gone, in the runtime's thread.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: str = "cpu",
        precision: Precision = "float32",
        slots: int = 4,
        threads: int = 1,
        device_lost: Callable[[str], None] = lose_device,
    ) -> None:
        self.rate_hz = checkpoint.settings.rate_hz
        self.most_streams = slots
        self._settings, self._tokenizer = checkpoint.settings, checkpoint.tokenizer
        self._device, self._threads = torch.device(device), threads
        self._prepare_thread()
        self._limits = LIMITS[self._device.type]
        self._device_lost = device_lost
        gpt = Gpt(checkpoint.weights, checkpoint.settings, self._device, precision)
        self._batch = Batch(gpt, slots)
        self._vocoder = Vocoder(checkpoint.weights, checkpoint.settings, self._device, vocoder_dtype(precision))
        self._stop_token = checkpoint.settings.stop_audio_token
        self._seeds = count(1)
        self._changed = Condition()
        self._waiting: list[Utterance] = []  # these three under `_changed`
        self._heard: set[Utterance] = set()
        self._is_closed = False
        self._speaking: dict[int, Speaking] = {}  # by slot; of the thread alone
        self._thread = Thread(target=self._live, name="xtts", daemon=True)
        self._thread.start()

    def open(self, voice: ClonedVoice, text: str, language: str, speed: float = 1.0) -> Utterance:
        """Have `text` spoken, in one of the model's own languages ("pt", "zh-cn").

        Raises EngineUnavailable where as many are spoken as the machine carries, and EngineError for a voice of another
        model.
        """
        request = self._request(voice, text, language, speed)
        with self._changed:
            if self._is_closed:
                raise EngineUnavailable("XTTS has been shut down")
            if len(self._heard) >= self.most_streams:
                raise EngineUnavailable(
                    f"XTTS speaks {self.most_streams} texts at once on this machine, and that many are being spoken"
                )
            utterance = Utterance(request, speed, now_ns(), self._not_heard)
            if not request.parts:
                utterance.end()
                return utterance
            self._heard.add(utterance)
            self._waiting.append(utterance)
            self._changed.notify_all()
        return utterance

    def close(self) -> None:
        """End everything that is being spoken, and the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join()

    def measure(self, voice: ClonedVoice) -> list[tuple[int, float]]:
        """How many ms a token costs, made sound, for so many streams at once; nobody may speak meanwhile.

        From then on no more streams are accepted than that allows (`most_streams`).
        """
        self._prepare_thread()
        if self._device.type == "cuda":
            self._batch.record()
        self._vocoder.warm(torch.from_numpy(voice.speaker_embedding))
        sizes = [1 << bit for bit in range(self.most_streams.bit_length())]
        turn_ms = [(streams, self._turn_ms(voice, streams)) for streams in sizes if streams <= self.most_streams]
        self.most_streams = min(self.most_streams, capacity(turn_ms))
        return turn_ms

    def _turn_ms(self, voice: ClonedVoice, streams: int) -> float:
        conditioning, embedding = torch.from_numpy(voice.conditioning), torch.from_numpy(voice.speaker_embedding)
        slots = [self._batch.join(conditioning, [STRANGER] * 20, Sampling()) for _ in range(streams)]
        while unread := [slot for slot in slots if self._batch.unread(slot)]:
            self._batch.read(unread)
        self._batch.step(slots)
        began = perf_counter()
        for _ in range(MEASURED_STEPS):
            self._batch.step(slots)
        step_ms = 1000 * (perf_counter() - began) / MEASURED_STEPS
        sounds = [self._vocoder.open(embedding) for _ in slots]
        for sound, slot in zip(sounds, slots, strict=True):
            sound.push(self._batch.latents(slot, 0, 1).float().repeat(LONGEST_CHUNK_TOKENS, 1))
        began = perf_counter()
        for first in range(0, streams, self._limits.tell):
            self._vocoder.decode(sounds[first : first + self._limits.tell])
        sound_ms = 1000 * (perf_counter() - began) / LONGEST_CHUNK_TOKENS
        for slot in slots:
            self._batch.leave(slot)
        return step_ms + sound_ms

    def _request(self, voice: ClonedVoice, text: str, language: str, speed: float) -> Request:
        settings = self._settings
        shapes = (voice.conditioning.shape, voice.speaker_embedding.shape)
        if shapes != ((CONDITIONING_LATENTS, settings.width), (SPEAKER_SIZE,)):
            raise EngineError(f'the voice "{voice.speaker_id}" was made with another model; enrol its speaker again')
        made = [
            Part(
                self._tokenizer.encode(part.lower(), lang=language)[: settings.most_text_tokens - 1],
                most_tokens(part, language),
                end_guard(part, language, self.rate_hz, speed),
            )
            for part in parts(text, language)
        ]
        rules = (settings.temperature, settings.top_k, settings.top_p, settings.repetition_penalty)
        return Request(voice, made, Sampling(*rules, seed=next(self._seeds)))

    def _not_heard(self, utterance: Utterance) -> None:
        with self._changed:
            self._heard.discard(utterance)
            self._changed.notify_all()

    def _prepare_thread(self) -> None:
        """Recordings are made on the device that a thread has chosen, and its team is its own, too."""
        torch.set_num_threads(self._threads)
        if self._device.index is not None:
            torch.cuda.set_device(self._device)

    def _live(self) -> None:
        self._prepare_thread()
        while not self._is_closed:
            try:
                if not self._take_turn():
                    with self._changed:
                        self._changed.wait_for(self._has_news, IDLE_S if self._speaking else None)
            except Exception as error:  # whatever it is, the listeners must not wait for ever
                self._failed(error)
        for utterance in {*self._waiting, *(each.utterance for each in self._speaking.values())}:
            utterance.end(EngineUnavailable("XTTS has been shut down"))

    def _has_news(self) -> bool:
        return bool(self._waiting) or self._is_closed or any(not each.utterance.is_wanted for each in self._of_slots())

    def _of_slots(self) -> Sequence[Speaking]:
        return list(self._speaking.values())

    def _take_turn(self) -> bool:
        """Whether there was anything to do."""
        for each in self._of_slots():
            if not each.utterance.is_wanted:
                self._drop(each)
        self._admit()
        states = [each.state(self._batch.unread(slot)) for slot, each in self._speaking.items()]
        turn = next_turn(states, now_ns(), self._limits)
        speakers = {slot: self._speaking[slot] for slot in turn.step}
        self._make_sound([self._speaking[slot] for slot in turn.tell])  # first: somebody waits for it
        self._note(self._batch.read(turn.read))
        self._note(self._batch.step([slot for slot, each in speakers.items() if self._speaking.get(slot) is each]))
        return bool(turn.read or turn.step or turn.tell)

    def _admit(self) -> None:
        with self._changed:
            self._waiting = [each for each in self._waiting if each.is_wanted]
            newcomers = self._waiting
        while newcomers and self._batch.has_room:
            self._begin(newcomers[0], 0, Joint(self.rate_hz))
            newcomers.pop(0)

    def _begin(self, utterance: Utterance, number: int, joint: Joint) -> Speaking:
        """Give part `number` of an utterance a slot."""
        request = utterance.request
        slot = self._batch.join(
            torch.from_numpy(request.voice.conditioning), request.parts[number].tokens, request.sampling
        )
        try:
            sound = self._vocoder.open(torch.from_numpy(request.voice.speaker_embedding))
        except BaseException:
            self._batch.leave(slot)
            raise
        self._speaking[slot] = Speaking(utterance, joint, slot, sound, number)
        return self._speaking[slot]

    def _note(self, tokens: dict[int, int]) -> None:
        for slot, token in tokens.items():
            each = self._speaking[slot]
            each.spoken += 1
            is_long = each.spoken >= each.part.most_tokens
            each.is_over = token == self._stop_token or is_long or self._batch.is_full(slot)

    def _make_sound(self, some: Sequence[Speaking]) -> None:
        with torch.inference_mode():
            for each in some:
                each.push(self._batch.latents(each.slot, each.made, each.spoken).float())
            sounds = self._vocoder.decode([each.sound for each in some])
        for each, samples in zip(some, sounds, strict=True):
            if each.tell(samples.numpy(), self.rate_hz, now_ns()):
                self._next_part(each)

    def _next_part(self, ended: Speaking) -> None:
        self._leave(ended)
        number = ended.number + 1
        if number == len(ended.utterance.request.parts):
            self._end(ended.utterance)
            return
        following = self._begin(ended.utterance, number, ended.joint)
        following.made_before, following.dry_ns = ended.made_before + ended.made, ended.dry_ns

    def _leave(self, each: Speaking) -> None:
        self._speaking.pop(each.slot, None)
        self._batch.leave(each.slot)

    def _drop(self, each: Speaking, error: Exception | None = None) -> None:
        self._leave(each)
        self._end(each.utterance, error)

    def _end(self, utterance: Utterance, error: Exception | None = None) -> None:
        with self._changed:
            self._heard.discard(utterance)
            self._waiting = [each for each in self._waiting if each is not utterance]
        utterance.end(error)

    def _failed(self, error: Exception) -> None:
        """Give up as little as the failure allows."""
        failure = failure_of(error)
        if failure is Failure.DEVICE_LOST:
            self._device_lost(f"XTTS has lost its device ({_first_line(error)}); it needs a new process")
        if failure is Failure.OUT_OF_MEMORY:
            self._shed()
            return
        broken = EngineError(f"XTTS failed: {type(error).__name__}: {_first_line(error)}")
        for each in self._of_slots():
            self._drop(each, broken)
        for utterance in list(self._waiting):
            self._end(utterance, broken)

    def _shed(self) -> None:
        """Give up the newest, so that the others can go on."""
        utterances = [each.utterance for each in self._of_slots()] + self._waiting
        newest = max(utterances, key=lambda each: each.opened_ns)
        full = EngineUnavailable(f"no memory is left for one more stream of XTTS beside {len(utterances) - 1} others")
        for each in self._of_slots():
            if each.utterance is newest:
                self._leave(each)
        self._end(newest, full)
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200]
