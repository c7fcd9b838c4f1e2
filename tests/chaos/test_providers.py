"""Providers on the network that fail, behind their real SDKs and the real processes: a spare engine, and back again."""

from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from fakes import deepgram, deepl
from fakes.speech import frames_of

from appliance import clock
from appliance.demo.child import free_ports
from appliance.drill.table import Outcome
from appliance.engines.deepgram import KEY_VARIABLE as DEEPGRAM_KEY
from appliance.engines.deepl import KEY_VARIABLE as DEEPL_KEY
from appliance.frames.roster import Lane, Leg, Roster
from appliance.units import FRAME_NS, NS_PER_MS, NS_PER_S
from chaos.engine_box import CALL, EngineBox
from chaos.scene import wait_until
from chaos.table import Row, note, rows
from chaos.tunnel import Tunnel

FOR_EVER = 10_000  # requests
HALF_OPEN = "half-open"
AGAIN_S = 1.0  # between two sentences, until the provider is tried again
CONFIG = {
    "mt": '[engines]\ntranslator = ["deepl", "spare"]\n[cloud.deepl]\nserver = "http://127.0.0.1:{port}"\n',
    "asr": '[engines.recognizers]\n"*" = ["deepgram-nova", "spare-stream"]\n'
    '[cloud.deepgram]\nserver = "ws://127.0.0.1:{port}"\n',
}
MT_FAULTS = {"500": deepl.Refuse(500), "429": deepl.Refuse(429), "30 s hang": deepl.Hang(), "slow drip": deepl.Drip()}
ASR_FAULTS = {
    "500": deepgram.Refuse(500),
    "429": deepgram.Refuse(429),
    "30 s hang": deepgram.HalfOpen(0),
    "slow drip": deepgram.Drip(10.0),
}


class DeepL(deepl.DeepLServer):
    def fails(self, fault: deepl.Fault | None) -> None:
        """From now on, every time; None: no more."""
        self._faults = deque([fault] * FOR_EVER if fault else [])
        (self.released.clear if fault else self.released.set)()


class Deepgram(deepgram.DeepgramServer):
    def fails(self, fault: deepgram.Fault | None) -> None:
        """As above; those who are connected have to come again."""
        self.faults = deque([fault] * FOR_EVER if fault else [])
        self.arrive()


class Provided:
    """One stage whose first engine is at the other end of a tunnel. One leg speaks English."""

    def __init__(self, stage: str, box: EngineBox, server: DeepL | Deepgram, tunnel: Tunnel) -> None:
        self.stage = stage
        self.box = box
        self.server = server
        self.tunnel = tunnel
        self.faults = MT_FAULTS if stage == "mt" else ASR_FAULTS
        box.memory.write_roster(Roster((Leg(0, CALL, "r1", "en", None),), (Lane(0, CALL, 0, "pt-br", 0),)))
        self._uplink = box.memory.writer("uplink", 0) if stage == "asr" else None
        self._now_ns = clock.now_ns()
        self.told: list[str] = []

    def breaks(self, name: str) -> None:
        if name == HALF_OPEN:
            self.tunnel.is_silent = True
        else:
            self.server.fails(self.faults[name])

    def is_mended(self) -> None:
        self.tunnel.is_silent = False
        self.tunnel.cut()  # what was swallowed makes no sense any more
        self.server.fails(None)
        self.tunnel.mend()

    def is_given_a_sentence(self) -> None:
        if self._uplink is None:
            self.box.mt_is_given(0)
            return
        for frame in frames_of("one two three", pause_s=1.0):
            self._uplink.push(frame, capture_ns=self._now_ns)
            self._now_ns += FRAME_NS

    def listens(self) -> list[str]:
        """All that has been told so far."""
        reader = self.box.translations if self.stage == "mt" else self.box.segments
        self.told += [message.text for message in iter(reader.read, None)]
        return self.told

    def tells(self, by_spare: bool) -> bool:
        """Whether something has been told since the last time, by the spare engine or by the provider."""
        found = any(text and ("spare" in text) == by_spare for text in self.listens())
        if found:
            self.told.clear()
        return found


@pytest.fixture(scope="module", params=["asr", "mt"])
def provided(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provided]:
    stage, (port,) = request.param, free_ports(1)
    with pytest.MonkeyPatch.context() as patch, ExitStack() as opened:
        patch.setenv(DEEPL_KEY, deepl.KEY)
        patch.setenv(DEEPGRAM_KEY, deepgram.KEY)
        server = opened.enter_context(DeepL() if stage == "mt" else Deepgram())
        tunnel = opened.enter_context(Tunnel(port, server.port))
        box = EngineBox(tmp_path_factory.mktemp("providers"), stage, CONFIG[stage].format(port=port))
        opened.callback(box.end)
        box.start()
        box.open()
        made = Provided(stage, box, server, tunnel)
        until_told(made, by_spare=False)
        yield made
        server.fails(None)


def until_told(provided: Provided, by_spare: bool) -> None:
    """Sentences, until one is told by whom it should be."""
    again_ns = 0

    def is_told() -> bool:
        nonlocal again_ns
        if clock.now_ns() >= again_ns:
            provided.is_given_a_sentence()
            again_ns = clock.now_ns() + int(AGAIN_S * NS_PER_S)
        return provided.tells(by_spare)

    wait_until(is_told, f"told by {'the spare engine' if by_spare else 'the provider'}")


ROWS = {row.name: row for row in rows("provider")}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(row.name.partition(": ")[2], marks=() if row.short else pytest.mark.long)
        for row in rows("provider")
        if row.name.startswith("mt")
    ],
)
def test_a_spare_engine_does_its_work_until_it_is_back(provided: Provided, name: str) -> None:
    row: Row = ROWS[f"{provided.stage} provider: {name}"]
    before = provided.box.pids_and_exits()
    provided.breaks(name)
    since_ns = clock.now_ns()
    until_told(provided, by_spare=True)
    seen_ms = (clock.now_ns() - since_ns) / NS_PER_MS
    provided.is_mended()
    since_ns = clock.now_ns()
    until_told(provided, by_spare=False)
    note(row, Outcome(seen_ms=seen_ms, back_s=(clock.now_ns() - since_ns) / NS_PER_S))
    assert provided.box.pids_and_exits() == before


def test_every_row_is_made() -> None:
    assert {row.name for row in rows("provider")} == {
        f"{stage} provider: {name}" for stage in ("asr", "mt") for name in [*MT_FAULTS, HALF_OPEN]
    }
