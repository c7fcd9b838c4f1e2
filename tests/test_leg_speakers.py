"""The process `voices` with its real encoder and real voices: who is found, who is missed, and who is learned."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from gst_folder import write_folder
from recordings import prompt
from speakers import ENGLISH
from stages import LANES, LEGS, Appliance, Mailbox, wait_until
from voice_store import change, voices_in

import procs.voices
from appliance.config import Config, Route
from appliance.engines.protocols import Samples
from appliance.engines.registry import load_synthesizer
from appliance.frames.messages import HealthEvent, JournalEntry, SpeakerFound
from appliance.frames.ring import END, START
from appliance.frames.roster import Leg, Roster, call_stamp
from appliance.media.resample import resample
from appliance.supervision.context import Context
from appliance.supervision.vitals import Vitals
from appliance.units import FRAME_BYTES
from appliance.voices.identity import load_encoder, mean_voice
from appliance.voices.resemblyzer import clean_speech
from appliance.voices.style import load_style

ENROLLED = ("vm-tempgreeting2", "demo-enterkeywords", "vm-forwardoptions")
SAID = ("dir-instr", "vm-review", "agent-alreadyon")  # by the same person
HALF_THE_RING_S = 2.5


@pytest.fixture(scope="module")
def allison() -> Samples:
    return np.concatenate([prompt(name) for name in SAID])


@pytest.fixture(scope="module")
def joe() -> Samples:
    """Somebody else: Piper."""
    said = load_synthesizer("piper", Config(cache_dir=Config().cache_dir.expanduser()))
    pieces = [piece for text in ENGLISH * 2 for piece in said.synthesize(text, "en")]
    return np.concatenate([resample(piece.samples, piece.rate_hz) for piece in pieces])


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Allison's, in a file."""
    speech = clean_speech(np.concatenate([prompt(name) for name in ENROLLED]), 16_000)
    path = tmp_path_factory.mktemp("allison") / "identity.npy"
    np.save(path, mean_voice(load_encoder(Config().cache_dir.expanduser()).partials(speech)))
    return path


class Line:
    """The process, and whoever speaks on leg 0."""

    def __init__(self, appliance: Appliance, leg: Leg) -> None:
        self.appliance = appliance
        self.found = Mailbox[SpeakerFound](appliance.memory, "speakers", 0, SpeakerFound)
        self._journal = Mailbox[JournalEntry](appliance.memory, "journal", "voices", JournalEntry)
        self._speech = appliance.memory.writer("speech", leg.place)
        self.becomes(leg)
        self.process: Context = appliance.start("voices", procs.voices.main)

    def becomes(self, leg: Leg) -> None:
        """The roster says so of the leg now."""
        self.leg = leg
        self.appliance.memory.write_roster(Roster((leg, LEGS[1]), LANES))

    def hears(self, samples: Samples, seconds: float) -> None:
        """So much of `samples`, over and over if need be, as asr hands it on."""
        pcm = (np.resize(samples, round(seconds * 16_000)) * 32_767).astype("<i2").tobytes()
        step = round(HALF_THE_RING_S * 50) * FRAME_BYTES
        for first in range(0, len(pcm), step):
            self._speech.push_many(pcm[first : first + step], timestamp=call_stamp(self.leg.call))
            wait_until(lambda: self.appliance.memory.ring_state("speech", self.leg.place).depth == 0)

    def tells(self, count: int) -> list[HealthEvent]:
        """All health events, of which there are so many at least."""
        wait_until(lambda: len(self._events()) >= count)
        return self._events()

    def _events(self) -> list[HealthEvent]:
        return [entry for entry in self._journal.collect(0) if isinstance(entry, HealthEvent)]

    def statuses(self) -> list[str]:
        """Of all health events so far."""
        found = self._events()
        assert all((event.component, event.session_id) == ("voice", "r1") for event in found)
        return [event.status for event in found]

    def hears_until(self, samples: Samples, status: str) -> None:
        """So much of `samples` as it takes; a voice synthesized anew is not always equally strange."""
        for step in range(20):
            if status in self.statuses():
                return
            self.hears(np.roll(samples, -step * 6 * 16_000), 6)
        self.waits_for(status)

    def waits_for(self, status: str) -> None:
        wait_until(lambda: status in self.statuses())


@pytest.fixture
def line(appliance: Appliance, tmp_path: Path, identity: Path, request: pytest.FixtureRequest) -> Iterator[Line]:
    """With Allison on file; `request.param`: what the leg is, what its route says, and `[voices]`."""
    leg, route, *settings = request.param
    voices = msgspec.structs.replace(voices_in(tmp_path), **(settings[0] if settings else {}))
    if voices.gst_folder:
        voices = msgspec.structs.replace(voices, gst_folder=str(write_folder(tmp_path / voices.gst_folder)))
    config = msgspec.structs.replace(Config(), voices=voices)
    cache_dir = config.cache_dir.expanduser()
    routes = (Route("1001", "en", "pt-br", "PJSIP/bruno", **route),)
    appliance.config = msgspec.structs.replace(
        appliance.config, voices=config.voices, cache_dir=cache_dir, routes=routes
    )
    change(
        config.voices,
        f"""
identity = Embedding.of("resemblyzer", np.load({str(identity)!r}), IDENTITY_SLOT)
store.put(profile("v-allison", name="Allison", identity=identity, phone_numbers=("5511999990000",)))
store.put(profile("v-other", name="Other", identity=Embedding.of("resemblyzer", np.ones(256), IDENTITY_SLOT)))
""",
    )
    made = Line(appliance, msgspec.structs.replace(LEGS[0], route="1001", **leg))
    yield made
    appliance.stop()


@pytest.mark.parametrize(
    ("line", "choice"),
    [
        (({"phone": "11 99999-0000"}, {}), None),
        (({"phone": "+55 11 99999-0000"}, {}), ("v-allison", "number")),
        (({"phone": "+55 11 99999-0000"}, {"caller_voice": "Other"}), ("v-other", "route")),
        (({"phone": "+55 11 99999-0000"}, {"caller_voice": "stock"}), ("", "route")),
        (({"phone": "+55 11 99999-0000", "index": 1}, {"caller_voice": "stock"}), ("v-allison", "number")),
        (({}, {"caller_voice": "Zoe"}), ("Zoe", "route")),  # tts will not find it, and say so
    ],
    indirect=["line"],
)
def test_route_and_number_decide_before_a_word_is_said(line: Line, choice: tuple[str, str] | None) -> None:
    if choice is None:
        wait_until(lambda: line.process.vitals.ready_ns > 0)
        assert line.found.collect(0) == []
        return
    told = line.found.collect(2)  # once more, as the roster does not say so
    assert {(each.leg, each.call, each.speaker, each.chosen_by) for each in told} == {(0, 7, *choice)}


@pytest.mark.parametrize("line", [({}, {}, {"on_mismatch": "stock"})], indirect=True)
def test_who_is_on_file_is_found_by_the_voice_and_missed_when_somebody_else_has_the_phone(
    line: Line, allison: Samples, joe: Samples
) -> None:
    line.hears(allison, 12)
    [found, *_] = line.found.collect(1)
    assert (found.speaker, found.chosen_by) == ("v-allison", "voice")
    line.becomes(msgspec.structs.replace(line.leg, speaker=found.speaker, chosen_by=found.chosen_by))
    line.hears(allison, 16)
    assert line.statuses() == ["CHOSEN"]
    line.hears_until(joe, "MISMATCH")
    wait_until(lambda: line.found.collect(1)[-1].speaker == "")
    wait_until(lambda: line.process.vitals.get("strange_legs") == 1)
    line.becomes(msgspec.structs.replace(line.leg, speaker=""))
    line.hears(allison, 24)
    line.waits_for("MATCHED")
    wait_until(lambda: line.found.collect(1)[-1].speaker == "v-allison")
    wait_until(lambda: line.process.vitals.get("strange_legs") == 0)
    assert line.process.vitals.get("voice_mismatches") == 1
    assert line.statuses() == ["CHOSEN", "MISMATCH", "MATCHED"]


@pytest.mark.parametrize("line", [({}, {})], indirect=True)
def test_who_is_not_on_file_is_not_found(line: Line, joe: Samples) -> None:
    line.hears(joe, 30)
    assert line.found.collect(0) == []
    assert line.statuses() == []


@pytest.mark.parametrize("line", [({"speaker": "v-allison", "chosen_by": "voice"}, {})], indirect=True)
def test_a_restarted_process_goes_on_with_what_was_found(line: Line, allison: Samples) -> None:
    line.hears(allison, 8)
    assert line.found.collect(0) == []
    line.becomes(LEGS[0])  # the process `calls` was restarted, and has forgotten it
    assert line.found.collect(1)[0].speaker == "v-allison"


@pytest.mark.parametrize(
    ("line", "learns"),
    [(({}, {"learn_voice": "caller"}), True), (({}, {"learn_voice": "callee"}), False)],
    indirect=["line"],
)
def test_speech_is_handed_on_to_be_learned_where_that_is_allowed_and_wiped_after_the_call(
    line: Line, learns: bool, joe: Samples
) -> None:
    memory = line.appliance.memory
    reader = memory.reader("samples")
    line.hears(joe, 12)
    if not learns:
        assert memory.ring_state("samples").head == 0
        return
    wait_until(lambda: memory.ring_state("samples").head >= 300)
    frames = reader.pop_many(400)
    assert [frame.flags for frame in frames] == [START, *[0] * 298, END]  # 6 s
    assert {(frame.stream, frame.timestamp) for frame in frames} == {(0, 7)}
    assert np.abs(np.frombuffer(frames[100].payload, "<i2")).max() > 100
    Vitals(memory.vitals("tts")).ready()  # another process, which has learned nothing
    wait_until(lambda: memory.ring_state("samples").head >= 600)
    memory.write_roster(Roster((LEGS[1],), ()))
    wait_until(lambda: memory.ring_state("samples").head > 1024)
    ring = memory.reader("samples")
    ring.seek(ring.head - ring.slots)
    wait_until(lambda: not any(any(frame.payload) for frame in ring.pop_many(2000)))


@pytest.mark.parametrize("line", [({"phone": "+55 11 99999-0000"}, {})], indirect=True)
def test_speech_of_the_call_before_is_nobodys_here(line: Line, joe: Samples) -> None:
    before = msgspec.structs.replace(line.leg, call=6)
    current, line.leg = line.leg, before
    line.hears(joe, 30)
    line.leg = current
    assert "MISMATCH" not in line.statuses()


@pytest.mark.parametrize(
    "line", [({"phone": "4711"}, {}), ({"phone": "4711"}, {}, {"gst_folder": "gst"})], indirect=True, ids=["", "GST"]
)
def test_the_manner_is_the_one_that_is_spoken_in(line: Line, joe: Samples, tmp_path: Path) -> None:
    calm = load_style(line.appliance.config.voices.gst_folder).style(joe[:96_000], 16_000)
    assert calm
    np.save(tmp_path / "style.npy", calm.numbers())
    change(
        line.appliance.config.voices,
        f"""
centre = np.load({str(tmp_path / "style.npy")!r})
own = replace(manner(1.0), style=Array.of(centre))
style = Embedding.of({calm.model!r}, centre, 64)
store.put(profile("v-joe", phone_numbers=("4711",), style=style, synthesis=(manner(1.0, 4.0), own)))
""",
    )
    assert line.found.collect(1)[0].manner == 0
    line.hears(joe, 8)
    wait_until(lambda: line.found.collect(1)[-1].manner == 1)
    assert line.found.messages[-1].speaker == "v-joe"


@pytest.mark.parametrize("line", [({}, {})], indirect=True)
def test_voices_of_other_models_are_told_once(line: Line) -> None:
    change(line.appliance.config.voices, 'store.put(profile("v-old"), profile("v-older"))')  # by ecapa-tdnn
    [told] = line.tells(1)
    assert (told.status, told.session_id) == ("OUTDATED", "")
    assert (
        told.action == "2 voices on file were enrolled with other models than those in use; see: dragoman voices list"
    )
    change(line.appliance.config.voices, 'store.put(profile("v-old", name="Ana"), profile("v-oldest"))')
    assert line.tells(2)[1].action.startswith("v-oldest was enrolled with other models")
