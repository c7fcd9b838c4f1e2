"""asr, mt and tts together, with the real engines."""

import numpy as np
from recordings import prompt
from stages import Appliance, Ear, Mailbox, Mouth, wait_until

import procs.asr
import procs.mt
import procs.tts
from appliance.engines.model_files import assemble, manifest
from appliance.engines.protocols import Samples
from appliance.engines.registry import load_recognizer
from appliance.frames.messages import JournalEntry, Spoken, Translation
from appliance.speech.words import shared_words, word_error_rate
from appliance.units import FRAME_BYTES


def test_a_person_is_interpreted(appliance: Appliance) -> None:
    for model in manifest().values():
        if model.assembled:
            assemble(model, appliance.config.cache_dir)
    for name, main in (("asr", procs.asr.main), ("mt", procs.mt.main), ("tts", procs.tts.main)):
        appliance.start(name, main)
    ear, journal = Ear(appliance.memory, 0), Mailbox(appliance.memory, "journal", "mt", JournalEntry)
    clauses = Mailbox(appliance.memory, "journal", "tts", JournalEntry)
    mouth = Mouth(appliance.memory, 0)
    mouth.is_silent(400)
    mouth.plays(frames_of(prompt("vm-nobodyavail")))
    mouth.is_silent(800)
    wait_until(lambda: any(is_last(entry) for entry in journal.collect(0)))
    told = [entry for entry in journal.messages if isinstance(entry, Translation)]
    text = " ".join(translation.text for translation in told if translation.text)
    assert word_error_rate("Nobody is available to take your call at the moment.", told[-1].source.text) <= 0.15
    assert shared_words("Ninguém está disponível no momento.", text) >= 0.7
    wait_until(lambda: " ".join(each.text for each in clauses.collect(0) if isinstance(each, Spoken)) == text)
    heard = b"".join(frame.payload for frame in ear.hears(len(clauses.messages)))
    back = load_recognizer("whisper-base", appliance.config).recognize(
        np.frombuffer(heard, "<i2").astype(np.float32) / 32_768, "pt-br"
    )
    assert shared_words(text, back.text) >= 0.7


def is_last(entry: JournalEntry) -> bool:
    return isinstance(entry, Translation) and entry.final


def frames_of(samples: Samples) -> list[bytes]:
    pcm = (samples * 32_767).astype("<i2").tobytes()
    return [pcm[first : first + FRAME_BYTES] for first in range(0, len(pcm) - FRAME_BYTES, FRAME_BYTES)]
