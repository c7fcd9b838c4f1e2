"""What `bench lag` reads and leaves: a trial made from files, its outcome written into a folder."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import soundfile

from appliance.bench.lag import LaneReport, Outcome, Trial
from appliance.bench.lag_speech import sound_files, stream_of
from appliance.demo.say import SayError
from appliance.units import SAMPLE_RATE_HZ


def trial_of(
    say: Sequence[Path], source: str, targets: Sequence[str], transcript: Path | None, reference: Path | None,
    minutes: float, pause_s: float, speakers: int,
) -> Trial:  # fmt: skip
    """A trial from recordings and texts; the texts are repeated as often as the recordings. Raises SayError."""
    files = sound_files(say)
    stream = stream_of(files, source, pause_s, minutes)
    times = len(stream.recordings) // len(files)
    texts = [" ".join([_text(path)] * times) if path else "" for path in (transcript, reference)]
    languages = tuple(target.lower() for target in targets)
    if reference and len(languages) > 1:
        raise SayError("--reference: a reference is a text in one language, so give --to once")
    return Trial(stream, source.lower(), languages, speakers, *texts)


def write(outcome: Outcome, folder: Path) -> None:
    """Write report.json, and for each lane its sound, its texts, its pieces and its picture."""
    from appliance.bench.lag_picture import draw  # noqa: PLC0415 (matplotlib takes a second)

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(outcome.report.json() + "\n")
    for number, lane in enumerate(outcome.lanes):
        stem = f"{outcome.trial.source}-{lane.target}" + f"-{number}" * (len(outcome.lanes) > 1)
        soundfile.write(folder / f"heard-{stem}.wav", outcome.run.heard[number], SAMPLE_RATE_HZ)
        (folder / f"understood-{stem}.txt").write_text(lane.result.source + "\n")
        (folder / f"translated-{stem}.txt").write_text(lane.result.translation + "\n")
        (folder / f"pieces-{stem}.tsv").write_text(_pieces(lane))
        draw(outcome.trial.stream, lane, folder / f"lag-{stem}.png")
    entries = [msgspec.json.encode(entry) for entry in outcome.run.entries]
    (folder / "journal.jsonl").write_bytes(b"\n".join([*entries, b""]))


def _pieces(lane: LaneReport) -> str:
    """A table to look at: every clause, the seconds of its source and of its sound, and its lag at its beginning."""
    lines = ["source from\tto\theard from\tto\tafter its source\ttext"]
    for piece in lane.result.heard:
        instants = (piece.source_start_ms, piece.source_end_ms, piece.first_ms, piece.last_ms)
        behind_ms = piece.first_ms - piece.source_end_ms
        lines.append("\t".join([*(f"{instant / 1000:.2f}" for instant in instants), f"{behind_ms:.0f}", piece.text]))
    return "\n".join([*lines, ""])


def _text(path: Path) -> str:
    try:
        return " ".join(path.read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError):
        raise SayError(f"{path}: cannot be read as text; give a UTF-8 file") from None
