"""Long stress of the store of voices: a writer killed at any instant loses nothing that it has acknowledged."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from voice_samples import cluster, profile

from appliance.voices.errors import VoiceMissing
from appliance.voices.key_slots import SLOT_BYTES
from appliance.voices.profile import Profile
from appliance.voices.store import VoiceStore

ROOT = Path(__file__).parent.parent
VOICES = 6

# One process imports everything once, and forks a victim for every life. A victim opens the store itself: nothing of
# LMDB crosses the fork. Before each change it says what it is about to do, and afterwards that it is done.
MOTHER = """
import os, random, sys
from pathlib import Path
from appliance.voices.profile import Profile
from appliance.voices.store import VoiceStore
from voice_samples import cluster, profile

SYNTHESIS = (cluster(),)

def live(seed):
    dice = random.Random(seed)
    store = VoiceStore(Path(sys.argv[1]), Path(sys.argv[2]))
    there = set(store.ids())
    for change in range(1000):
        speaker_id = f"v-{dice.randrange(int(sys.argv[3]))}"
        if speaker_id in there and dice.random() < 0.3:
            os.write(1, f"delete {speaker_id} -\\n".encode())
            store.delete(speaker_id)
            there.discard(speaker_id)
        else:
            name = f"{seed}-{change}"
            os.write(1, f"put {speaker_id} {name}\\n".encode())
            store.put(profile(speaker_id, name=name, phone_numbers=(speaker_id[2:],), synthesis=SYNTHESIS))
            there.add(speaker_id)
        os.write(1, b"done\\n")

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        live(int(line))
        os._exit(1)
    os.write(1, f"pid {child}\\n".encode())
    _, status = os.waitpid(child, 0)
    os.write(1, f"dead {status}\\n".encode())
"""


class Victims:
    """Writers that live one after the other, each until it is killed."""

    def __init__(self, *arguments: object) -> None:
        self._mother = subprocess.Popen(
            [sys.executable, "-c", MOTHER, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        )

    def live(self, seed: int, wait: Callable[[], None]) -> list[list[str]]:
        """Let one live until `wait` returns; what it said. It must have been alive and well when it was killed."""
        assert self._mother.stdin
        assert self._mother.stdout
        self._mother.stdin.write(f"{seed}\n")
        said = []
        for line in self._mother.stdout:
            match line.split():
                case ["pid", pid]:
                    wait()
                    os.kill(int(pid), signal.SIGKILL)
                case ["dead", status]:
                    assert int(status) == signal.SIGKILL, "it failed by itself"
                    return said
                case words:
                    said.append(words)
        raise AssertionError("the process that forks them has died")

    def end(self) -> None:
        assert self._mother.stdin
        assert self._mother.stdout
        self._mother.stdin.close()
        assert self._mother.wait(10) == 0
        self._mother.stdout.close()


class Acknowledged:
    """What the killed writers said that they had done: the names of the voices that must be there, by id."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.changes = 0

    def hear(self, said: list[list[str]]) -> dict[str, str]:
        """Take the words of one life; what the voices are if its last change, not acknowledged, was made after all."""
        perhaps = self.names
        for words in said:
            if words == ["done"]:
                self.names = perhaps
                self.changes += 1
            else:
                what, speaker_id, name = words
                perhaps = {**self.names, speaker_id: name}
                if what == "delete":
                    del perhaps[speaker_id]
        return perhaps


def names_in(store: VoiceStore) -> dict[str, str]:
    """Every voice, whole."""
    profiles = [one for one in store.survey() if isinstance(one, Profile)]
    assert len(profiles) == len(store.ids()), "a voice is damaged"
    for one in profiles:
        assert one == profile(one.speaker_id, name=one.name, phone_numbers=one.phone_numbers, synthesis=(cluster(),))
        assert store.speaker_of(one.speaker_id[2:]) == one.speaker_id
    return {one.speaker_id: one.name for one in profiles}


def read_for(store: VoiceStore, seconds: float, dice: random.Random) -> None:
    """What a call does meanwhile: it reads, and never finds half a voice."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        with suppress(VoiceMissing):
            store.get(f"v-{dice.randrange(VOICES)}")
        time.sleep(0.0005)  # the writer wants to live, too


def kill_writers(folder: Path, lives: int, longest_life_s: float) -> int:
    """Kill `lives` of them, one after the other; returns how many changes they had acknowledged."""
    dice = random.Random(5)
    place = (folder / "voices", folder / "box.key")
    acknowledged = Acknowledged()
    victims = Victims(*place, VOICES)
    with VoiceStore(*place) as store:
        for life in range(lives):
            said = victims.live(life, lambda: read_for(store, dice.uniform(0, longest_life_s), dice))
            perhaps = acknowledged.hear(said)
            assert names_in(store) in (acknowledged.names, perhaps), f"life {life}"
            # LMDB shows what a writer completed in the moment of its death only when the next one begins.
            with store._environment.writing():
                pass
            found = names_in(store)
            assert found in (acknowledged.names, perhaps), f"life {life}, later"
            acknowledged.names = found
        victims.end()
        store.put(profile("v-last"))
        assert store.get("v-last").name == "Ana"
    assert (place[0] / "keys").stat().st_size <= (2 * VOICES + 2) * SLOT_BYTES, "slots of killed writers are lost"
    return acknowledged.changes


def test_a_killed_writer_loses_nothing_acknowledged(tmp_path: Path) -> None:
    assert kill_writers(tmp_path, lives=20, longest_life_s=0.15) > 0


@pytest.mark.torture
def test_a_thousand_killed_writers_lose_nothing_acknowledged() -> None:
    """In memory, where no writer spends its life waiting for a disk: more instants to die in."""
    with TemporaryDirectory(dir="/dev/shm") as folder:
        assert kill_writers(Path(folder), lives=1000, longest_life_s=0.06) > 1000
