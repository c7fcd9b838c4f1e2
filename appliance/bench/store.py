"""What looking up a voice costs: from the disk, from the kernel's memory, from the cache, and while others write."""

import multiprocessing
import os
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np

from appliance.bench.report import Measurement, Report, Target, at_most, this_machine
from appliance.clock import now_ns
from appliance.voices.arrays import Array
from appliance.voices.consent import Consent
from appliance.voices.profile import IDENTITY_SLOT, STYLE_SLOT, Embedding, Profile, StyleCluster
from appliance.voices.store import VoiceStore

_BATCH = 250
_CACHED = 64  # voices that take turns in the cache, as in a busy hour
_START_S = 60.0
_SPAWN = multiprocessing.get_context("spawn")


def run(
    voices: int = 10_000,
    lookups: int = 2_000,
    cached_lookups: int = 100_000,
    folder: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """Fill a store of its own with `voices` and look them up at random.

    10,000 take 1.4 GB in `folder`, or where the system keeps temporary files, and about a minute. `progress` gets a
    line before each part. Raises StoreUnusable when there is no room.
    """
    with TemporaryDirectory(prefix="dragoman-bench-", dir=folder) as made:
        bench = _Bench(Path(made), voices)
        progress(f"storing {voices:,} voices")
        seen = {"store one": bench.store_one(min(voices, 100))}
        bench.fill()
        progress("looking up, nothing in memory")
        bench.leave_memory()
        seen["from the disk"] = bench.look_up(lookups)
        progress("looking up, in the kernel's memory")
        seen["from the kernel's memory"] = bench.look_up(lookups)
        progress("looking up, in the cache")
        seen["from the cache"] = bench.look_up_cached(cached_lookups)
        progress("looking up, in the cache, while another process writes")
        with bench.other_writer():
            seen["from the cache, others writing"] = bench.look_up_cached(cached_lookups)
    return Report(this_machine(), tuple(_measurements(seen)), tuple(_targets(seen)))


class _Bench:
    def __init__(self, folder: Path, voices: int) -> None:
        self._place = (folder / "voices", folder / "box.key")
        self._voices = voices
        self._dice = random.Random(7)

    def store_one(self, count: int) -> list[int]:
        """Each is on the disk before the next."""
        with VoiceStore(*self._place) as store:
            profiles = iter([_profile(number) for number in range(count)])
            return _times(lambda: store.put(next(profiles)), count)

    def fill(self) -> None:
        with VoiceStore(*self._place) as store:
            for first in range(0, self._voices, _BATCH):
                store.put(*(_profile(number) for number in range(first, min(first + _BATCH, self._voices))))

    def leave_memory(self) -> None:
        """Have the kernel forget the files; it does so only for pages that are on the disk and that nobody maps."""
        os.sync()
        for path in self._place[0].iterdir():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)

    def look_up(self, count: int) -> list[int]:
        """Voices at random, the same in every part; none is in the cache, which holds one only."""
        names = iter(random.Random(11).choices(range(self._voices), k=count))
        with VoiceStore(*self._place, cached_voices=1) as store:
            return _times(lambda: store.get(_id(next(names))), count)

    def look_up_cached(self, count: int) -> list[int]:
        busy = [_id(number) for number in self._dice.sample(range(self._voices), min(_CACHED, self._voices))]
        with VoiceStore(*self._place) as store:
            for speaker_id in busy:
                store.get(speaker_id)
            names = iter(self._dice.choices(busy, k=count))
            return _times(lambda: store.get(next(names)), count)

    @contextmanager
    def other_writer(self) -> Iterator[None]:
        """Another process stores voices all the time."""
        here, there = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_write, args=(*self._place, self._voices, there), daemon=True)
        process.start()
        there.close()
        try:
            if not here.poll(_START_S):
                raise RuntimeError(f"the benchmark is stuck: its writer said nothing for {_START_S:.0f} s")
            yield
        finally:
            process.kill()
            process.join()
            here.close()


def _write(folder: Path, key_file: Path, number: int, pipe: Connection) -> None:
    """The other process: a new voice, again and again."""
    with VoiceStore(folder, key_file) as store:
        store.put(_profile(number))
        pipe.send("ready")
        while True:
            store.put(_profile(number))


def _times(one: Callable[[], object], count: int) -> list[int]:
    """How long each of `count` calls takes, in ns, in order of length."""
    taken = []
    for _ in range(count):
        began_ns = now_ns()
        one()
        taken.append(now_ns() - began_ns)
    return sorted(taken)


def _id(number: int) -> str:
    return f"v-{number}"


def _profile(number: int) -> Profile:
    """As large as a real one: two manners of speaking, XTTS's latents in half precision."""
    return msgspec.structs.replace(_TEMPLATE, speaker_id=_id(number), phone_numbers=(str(10_000_000 + number),))


def _template() -> Profile:
    noise = np.random.default_rng(1)
    latents = Array.of(noise.normal(size=(32, 1024)), "<f2")
    cluster = StyleCluster(Array.of(np.zeros(STYLE_SLOT)), latents, Array.of(noise.normal(size=512)))
    now = datetime.now(UTC)
    return Profile(
        speaker_id=_id(0),
        name="A voice",
        identity=Embedding.of("ecapa-tdnn", noise.normal(size=192), IDENTITY_SLOT),
        style=Embedding.of("prosody", noise.normal(size=STYLE_SLOT), STYLE_SLOT),
        created_at=now,
        synthesis_model="xtts-v2",
        synthesis=(cluster, cluster),
        consent=Consent(by="A person", at=now, wording="I agree."),
    )


_TEMPLATE = _template()


def _percentile_us(taken_ns: Sequence[int], percent: int) -> float:
    return taken_ns[len(taken_ns) * percent // 100] / 1000


def _measurements(seen: dict[str, list[int]]) -> Iterable[Measurement]:
    for subject, taken_ns in seen.items():
        yield Measurement(subject, "p50", _percentile_us(taken_ns, 50), "µs")
        yield Measurement(subject, "p99", _percentile_us(taken_ns, 99), "µs")


def _targets(seen: dict[str, list[int]]) -> Iterable[Target]:
    yield at_most("lookup from the disk, p99", _percentile_us(seen["from the disk"], 99) / 1000, 10, "ms")
    yield at_most("lookup from the cache, p50", _percentile_us(seen["from the cache"], 50), 50, "µs")
