"""Engines that fail in every way, under the real processes: the next of their chain takes over, and nobody dies."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from box import Box
from recordings import prompt
from test_stages import frames_of
from toys.engines import LANGUAGES, SPARE

from appliance import clock
from appliance.drill.table import Outcome
from appliance.frames.memory import Memory
from appliance.frames.messages import Segment, Translation
from appliance.frames.ring import END
from appliance.frames.roster import Lane, Leg, Roster
from appliance.frames.text import TextReader, TextWriter
from appliance.supervision.vitals import Vitals
from appliance.units import FRAME_BYTES, FRAME_NS, NS_PER_S
from chaos.scene import wait_until
from chaos.table import note, rows

CALL = 7
AFTER_SOME = {("asr", "raises"), ("asr", "babbles"), ("asr", "devours")}
PLACES = {name: place for place, name in enumerate(LANGUAGES)}
TABLE = """
from dataclasses import replace
from appliance.supervision.process_table import WORKERS as REAL

WORKERS = tuple(replace(row, module=f"toys.{{row.name}}", standby=False) for row in REAL if row.name == {stage!r})
"""
CONFIG = """
[engines]
translator = {names}
[engines.recognizers]
{chains}
[engines.synthesizers]
{chains}
"""


class EngineBox(Box):
    """The watchdog, one real process with toy engines, and the test on both sides of it."""

    def __init__(self, folder: Path, stage: str) -> None:
        super().__init__(folder, **{stage: stage})
        self.stage = stage
        chains = "\n".join(f'{language} = ["{name}", "{SPARE}"]' for name, language in LANGUAGES.items())
        names = [*LANGUAGES, SPARE]
        self.config.write_text(self.config.read_text() + CONFIG.format(names=names, chains=chains))

    def table(self) -> str:
        return TABLE.format(stage=self.stage)

    def open(self) -> None:
        """Put four legs and their lanes in, one for each way to fail."""
        self.wait_until_up()
        self.memory = Memory.attach(self.instance)
        hears = self.stage == "asr"
        legs = [
            Leg(place, CALL, f"r{place}", LANGUAGES[name] if hears else "en", None) for name, place in PLACES.items()
        ]
        lanes = [Lane(place, CALL, place, "en" if hears else LANGUAGES[name], place) for name, place in PLACES.items()]
        self.memory.write_roster(Roster(tuple(legs), tuple(lanes)))
        self._now_ns = clock.now_ns()
        self.segments = TextReader(self.memory.reader("segments"), Segment)
        self.translations = TextReader(self.memory.reader("translations"), Translation)
        self._told: list[str] = []

    def pids_and_exits(self) -> tuple[int, int]:
        vitals = Vitals(self.memory.vitals(self.stage))
        return vitals.pid, vitals.exits

    # --- what goes in ---

    def asr_is_given(self, place: int) -> None:
        uplink = self.memory.writer("uplink", place)
        for frame in [bytes(FRAME_BYTES)] * 25 + frames_of(prompt("vm-nobodyavail")) + [bytes(FRAME_BYTES)] * 60:
            uplink.push(frame, capture_ns=self._now_ns)
            self._now_ns += FRAME_NS

    def mt_is_given(self, place: int) -> None:
        TextWriter(self.memory.writer("segments")).write(self._segment(place))

    def tts_is_given(self, place: int) -> None:
        segment, (name, *_) = self._segment(place), [name for name, at in PLACES.items() if at == place]
        translation = Translation(place, segment.seq_num, 0, True, segment, LANGUAGES[name], "All is well.", 1.0)
        TextWriter(self.memory.writer("translations")).write(translation)

    def _segment(self, place: int) -> Segment:
        self._now_ns += NS_PER_S
        number = self._now_ns // FRAME_NS
        return Segment(place, CALL, number, 0, True, self._now_ns, self._now_ns + NS_PER_S, "en", "All is well.", 1.0)

    # --- what comes out of it by an engine that works ---

    def asr_has_told(self, place: int) -> bool:
        return any(told.leg == place and "by" in told.text for told in iter(self.segments.read, None))

    def mt_has_told(self, place: int) -> bool:
        return any(told.lane == place and SPARE in told.text for told in iter(self.translations.read, None))

    def tts_has_told(self, place: int) -> bool:
        return any(frame.flags & END for frame in self.memory.reader("downlink", place).pop_many(1_000))


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


@pytest.mark.parametrize(
    "box",
    ["mt", "tts", pytest.param("asr", marks=pytest.mark.long)],
    indirect=True,
)
def test_somebody_goes_on_for_one_that_hangs(box: EngineBox) -> None:
    """The next engine; or, in asr, the same one in a new process."""
    take_over(box, "hangs")


def take_over(box: EngineBox, fails: str) -> None:
    row, place = ROWS[f"{box.stage} engine {fails}"], PLACES[fails]
    give: Callable[[int], None] = getattr(box, f"{box.stage}_is_given")
    has_told: Callable[[int], bool] = getattr(box, f"{box.stage}_has_told")
    since_ns = clock.now_ns()
    give(place)
    # A recognizer of ours has to fail some times, until another one hears what is said.
    for _ in range(5 if (box.stage, fails) in AFTER_SOME else 0):
        clock.sleep_s(0.5)
        give(place)
    wait_until(lambda: has_told(place), "a working engine has told it", row.fault.bounds.back_s + 1)
    note(row, Outcome(back_s=(clock.now_ns() - since_ns) / NS_PER_S))
