"""XTTS as an engine of the appliance: loaded by its name, in stock voices and in somebody's own."""

import shutil
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch

from appliance.config import Config, parse
from appliance.engines.protocols import ClonedVoice, CloningSynthesizer, EngineError, EngineRefused
from appliance.engines.registry import load_synthesizer
from appliance.engines.xtts import Xtts
from appliance.xtts import runtime
from appliance.xtts.acceptance import accept, licence_text
from appliance.xtts.precision import best_precision, vocoder_dtype


@pytest.fixture(scope="module")
def accepted(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model whose licence has been accepted, in the file beside it."""
    folder = tmp_path_factory.mktemp("engine") / "model"
    shutil.copytree(tiny, folder)
    (folder / "LICENSE.txt").write_text("the terms of the model")
    accept(licence_text(folder), "Ana", datetime.now(UTC), folder.parent / "accepted.json")
    return folder


def config_of(folder: Path, more: str = "") -> Config:
    places = f'folder = "{folder}"\nacceptance_file = "{folder.parent / "accepted.json"}"\n'
    return parse(f"[cloud.xtts]\n{places}{more}", "appliance.toml")


@pytest.fixture
def engine(accepted: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Xtts]:
    monkeypatch.setattr(runtime, "most_tokens", lambda *_: 8)
    loaded = load_synthesizer("xtts", config_of(accepted, 'streams = 2\nvoice = "Viktor Menelaos"'))
    assert isinstance(loaded, Xtts)
    yield loaded
    loaded.close()


def test_it_speaks_in_a_stock_voice_and_in_ones_own(engine: Xtts) -> None:
    assert isinstance(engine, CloningSynthesizer)
    pieces = list(engine.synthesize("Sim, claro.", "pt-br"))
    assert {piece.rate_hz for piece in pieces} == {24_000}
    chance = np.random.default_rng(1)
    voice = ClonedVoice(
        "ana",
        chance.standard_normal((32, 64)).astype(np.float32),
        chance.standard_normal(512).astype(np.float32) / 22,
    )
    own = list(engine.synthesize_as(voice, "Sim, claro.", "pt-br"))
    stock = np.concatenate([piece.samples for piece in pieces])
    mine = np.concatenate([piece.samples for piece in own])
    assert len(stock) == len(mine)
    assert not np.allclose(stock, mine, atol=1e-3)


def test_who_stops_listening_frees_the_place(engine: Xtts) -> None:
    for _ in range(4):
        sound = engine.synthesize("Sim.", "pt")
        next(sound)
        assert isinstance(sound, Generator)
        sound.close()


def test_a_language_it_does_not_speak_is_refused_with_those_it_does(engine: Xtts) -> None:
    with pytest.raises(
        EngineError, match='XTTS does not speak "sv-se"; it speaks ar, cs, de, en, es, fr, hi, hu, it, ja'
    ):
        next(engine.synthesize("Ja.", "sv-se"))
    assert "zh" in engine.languages


def test_nothing_is_loaded_before_the_licence_is_accepted(tiny: Path) -> None:
    with pytest.raises(EngineRefused):
        load_synthesizer("xtts", config_of(tiny))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ('voice = "Nobody"', 'there is no voice "Nobody" in .*; write one like Claribel Dervla, Viktor Menelaos'),
        ('device = "cuda"', "torch finds no GPU"),
    ],
)
def test_what_cannot_be_is_said(accepted: Path, settings: str, problem: str) -> None:
    with pytest.raises(EngineError, match=problem):
        load_synthesizer("xtts", config_of(accepted, settings))


@pytest.mark.parametrize(
    ("units", "precision"),
    [({}, "float32"), ({"avx512_bf16": True}, "bfloat16"), ({"amx_bf16": True}, "bfloat16")],
)
def test_it_computes_in_what_the_processor_has_units_for(
    units: dict[str, bool], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units)
    assert best_precision("cpu") == precision
    assert vocoder_dtype("int8") == vocoder_dtype(best_precision("cpu"))
    assert best_precision("cuda") == "float16"
