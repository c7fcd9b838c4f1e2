"""The watchdog and one real process whose engines are toys, or somebody else's; the test is on both sides of it."""

from pathlib import Path

from box import Box
from recordings import prompt
from test_stages import frames_of
from toys.engines import LANGUAGES, SPARE

from appliance import clock
from appliance.frames.memory import Memory
from appliance.frames.messages import Segment, Translation
from appliance.frames.ring import END
from appliance.frames.roster import Lane, Leg, Roster
from appliance.frames.text import TextReader, TextWriter
from appliance.supervision.vitals import Vitals
from appliance.units import FRAME_BYTES, FRAME_NS, NS_PER_S

CALL = 7
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

    def __init__(self, folder: Path, stage: str, engines: str = "", has_spare: bool = True) -> None:
        super().__init__(folder, **{stage: stage})
        self.stage = stage
        if engines:
            self.config.write_text(self.config.read_text() + engines)
            return
        spare = [SPARE] if has_spare else []
        chains = "\n".join(f"{language} = {[name, *spare]}" for name, language in LANGUAGES.items())
        names = [*LANGUAGES, *spare]
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
