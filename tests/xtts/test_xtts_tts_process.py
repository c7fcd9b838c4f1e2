"""The process tts with XTTS as its engine: two lanes spoken at once, each into its own downlink."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from checkpoints import SPEAKERS
from stages import Appliance, Ear, a_translation, wait_until

import procs.tts
from appliance.engines import xtts as engine_module
from appliance.engines.registry import Engines
from appliance.engines.xtts import Xtts, XttsSettings
from appliance.frames.ring import END, START
from appliance.frames.text import TextWriter
from appliance.xtts import runtime


@pytest.fixture
def engine(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Xtts]:
    monkeypatch.setattr(runtime, "most_tokens", lambda *_: 8)
    monkeypatch.setattr(engine_module, "require_acceptance", lambda *_: None)
    made = Xtts(XttsSettings(tiny, tiny / "accepted.json", SPEAKERS[0], "cpu", streams=2))
    yield made
    made.close()


def test_two_lanes_are_spoken_at_once(appliance: Appliance, engine: Xtts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(procs.tts, "load_synthesizers", lambda _: Engines({"xtts": engine}, {"*": ("xtts",)}))
    most: list[int] = []
    step = engine._runtime._batch.step
    monkeypatch.setattr(engine._runtime._batch, "step", lambda slots: (most.append(len(slots)), step(slots))[1])
    ears = [Ear(appliance.memory, lane) for lane in (0, 1)]
    appliance.start("tts", procs.tts.main)
    translations = TextWriter(appliance.memory.writer("translations"))
    for lane, text in enumerate(("Bom dia, minha senhora.", "Boa noite.")):
        translations.write(a_translation(text, 3 + lane, lane))
    for ear in ears:
        frames = ear.hears(1)
        assert frames[-1].flags & END
        assert any(any(frame.payload) for frame in frames)
    assert max(most) == 2


def test_the_first_chunk_is_on_its_way_before_the_clause_is_spoken(
    appliance: Appliance, engine: Xtts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(procs.tts, "load_synthesizers", lambda _: Engines({"xtts": engine}, {"*": ("xtts",)}))
    monkeypatch.setattr(runtime, "most_tokens", lambda *_: 60)
    free, steps = threading.Event(), list[int]()
    step = engine._runtime._batch.step

    def held(slots: Sequence[int]) -> dict[int, int]:
        steps.extend(slots)
        assert len(steps) < 20 or free.wait(60)
        return step(slots)

    monkeypatch.setattr(engine._runtime._batch, "step", held)
    ear = Ear(appliance.memory, 0)
    appliance.start("tts", procs.tts.main)
    TextWriter(appliance.memory.writer("translations")).write(a_translation("Bom dia, minha senhora.", 3))
    wait_until(lambda: bool(ear.hears(0)))
    assert ear.frames[0].flags & START
    assert not any(frame.flags & END for frame in ear.frames)
    early = len(ear.frames)
    free.set()
    assert len(ear.hears(1)) > early
