"""How long the enrolment of a voice takes: recordings of real speech, through what `dragoman voices enrol` runs."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

from appliance.bench.report import Measurement, Report, at_most, this_machine
from appliance.clock import now_ns
from appliance.units import NS_PER_S
from appliance.voices.consent import Consent
from appliance.voices.enrolment import Enrolled, Wish, enrol
from appliance.voices.identity import load_encoder
from appliance.voices.intake import Recording, read
from appliance.voices.store import VoiceStore
from appliance.voices.style import load_style

MOST_S = 300  # what an enrolment may take
LEAST_SPEECH_S = 10.0


def run(
    paths: Iterable[Path],
    cache_dir: Path,
    ecapa_folder: str = "",
    gst_folder: str = "",
    seconds: float = 240.0,
    progress: Callable[[str], None] = lambda _what: None,
) -> Report:
    """Enrol `seconds` of the recordings, beginning again where they are shorter. Raises VoiceError, EngineError."""
    began_ns = now_ns()
    recordings = _as_long_as(paths, seconds, progress)
    read_ns = now_ns()
    encoder, styles = load_encoder(cache_dir, ecapa_folder), load_style(gst_folder)
    wish = Wish("A voice", Consent(by="A person", at=datetime.now(UTC), wording="I agree."))
    stages: dict[str, int] = {}

    def stage(what: str, _share: float) -> None:
        stages.setdefault(what, now_ns())
        progress(what)

    loaded_ns = now_ns()
    made = enrol(recordings, wish, encoder, datetime.now(UTC), stage, needed_s=LEAST_SPEECH_S, styles=styles)
    with TemporaryDirectory(prefix="dragoman-bench-") as folder:
        with VoiceStore(Path(folder, "voices"), Path(folder, "box.key")) as store:
            store.put(made.profile)
        ended_ns = now_ns()
    taken = {"reading": read_ns - began_ns, "loading the encoder": loaded_ns - read_ns, **_stages(stages, ended_ns)}
    return _report(recordings, made, taken, ended_ns - began_ns)


def _as_long_as(paths: Iterable[Path], seconds: float, progress: Callable[[str], None]) -> list[Recording]:
    recordings: list[Recording] = []
    for path in cycle(list(paths)):
        progress(f"reading {path.name}")
        recordings.append(read(path))
        if sum(one.seconds for one in recordings) >= seconds:
            break
    return recordings


def _stages(begun_ns: dict[str, int], ended_ns: int) -> dict[str, int]:
    """How long each stage took: from its beginning to the next one's."""
    names = list(begun_ns)
    ends = [*(begun_ns[name] for name in names[1:]), ended_ns]
    taken = {name: end - begun_ns[name] for name, end in zip(names, ends, strict=True)}
    taken["storing"] = taken.pop("done")
    return taken


def _report(recordings: Sequence[Recording], made: Enrolled, taken_ns: dict[str, int], whole_ns: int) -> Report:
    quality = made.profile.quality
    assert quality is not None
    assert quality.self_similarity is not None
    measurements = [
        Measurement("recordings", "length", sum(one.seconds for one in recordings), "s"),
        Measurement("recordings", "speech", quality.speech_s, "s"),
        Measurement("recordings", "like itself", quality.self_similarity, ""),
        *(Measurement("enrolment", name, taken / NS_PER_S, "s") for name, taken in taken_ns.items()),
    ]
    target = at_most("enrolment", whole_ns / NS_PER_S, MOST_S, "s")
    return Report(this_machine(), tuple(measurements), (target,))
