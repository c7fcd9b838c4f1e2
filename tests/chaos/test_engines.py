"""Engines that fail in every way, under the real processes: the next of their chain takes over, and nobody dies."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from toys.engines import LANGUAGES

from appliance import clock
from appliance.drill.table import Outcome
from appliance.drill.watch import Watch
from appliance.units import NS_PER_S
from chaos.engine_box import PLACES, EngineBox
from chaos.scene import wait_until
from chaos.table import note, rows


@pytest.fixture(scope="module", params=["asr", "mt", "tts"])
def box(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineBox]:
    made = EngineBox(tmp_path_factory.mktemp("engines"), request.param)
    try:
        made.start()
        made.open()
        yield made
    finally:
        made.end()


ROWS = {row.name: row for row in rows("engine")}


@pytest.mark.parametrize("fails", [name for name in LANGUAGES if name != "hangs"])
def test_the_next_engine_takes_over(box: EngineBox, fails: str) -> None:
    before = box.pids_and_exits()
    take_over(box, fails)
    assert box.pids_and_exits() == before, "the others' engines are not to suffer"


def test_the_next_engine_goes_on_for_one_that_hangs(box: EngineBox) -> None:
    before = box.pids_and_exits()
    take_over(box, "hangs")
    assert box.pids_and_exits() == before, "the others' engines are not to suffer"


@pytest.mark.parametrize("stage", ["asr", "mt", "tts"])
def test_a_process_whose_only_engine_hangs_is_replaced(tmp_path: Path, stage: str) -> None:
    box = EngineBox(tmp_path, stage, has_spare=False)
    try:
        box.start()
        box.open()
        with Watch(box.instance, stage) as watch:
            since_ns = clock.now_ns()
            given(box)(PLACES["hangs"])
            wait_until(lambda: watch.seen_ms(since_ns) is not None, "the watchdog has noticed")
            note(ROWS[f"only {stage} engine hangs"], Outcome(seen_ms=watch.seen_ms(since_ns)))
    finally:
        box.end()


def given(box: EngineBox) -> Callable[[int], None]:
    give: Callable[[int], None] = getattr(box, f"{box.stage}_is_given")
    return give


def take_over(box: EngineBox, fails: str) -> None:
    row, place = ROWS[f"{box.stage} engine {fails}"], PLACES[fails]
    give = given(box)
    has_told: Callable[[int], bool] = getattr(box, f"{box.stage}_has_told")
    since_ns = clock.now_ns()
    give(place)
    wait_until(lambda: has_told(place), "a working engine has told it", row.fault.bounds.back_s + 1)
    note(row, Outcome(back_s=(clock.now_ns() - since_ns) / NS_PER_S))
