"""The demo's last screen: a table of what was said and heard, and the figures of the call."""

from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from appliance.demo.report import CallReport, Utterance


def show(report: CallReport, out: Path, console: Console) -> None:
    """Print the report for a person; times in ms."""
    table = Table("", "what was said, translated, and heard by the other phone", box=SIMPLE, title_justify="left")
    for stage in ("asr", "mt", "tts", "lag"):
        table.add_column(f"{stage} ms", justify="right")
    for utterance in report.utterances:
        _add(table, utterance)
    console.print(table)
    for lane, latency in report.chain_latency_by_lane_ms.items():
        share, lag = report.heard_share.get(lane.rpartition(" ")[2], 0.0), report.lag_by_lane_ms[lane]
        console.print(
            f"{lane}: first sound {latency.p50} ms after a sentence's end, and {lag.p50} ms after what it "
            f"translates (medians); {share:.0%} of the words heard"
        )
    frames = report.frames
    console.print(f"frames: {frames.uplink} up, {frames.downlink} down, {frames.dropped} dropped")
    for problem in report.problems:
        console.print(f"[red]problem:[/] {problem}")
    console.print(f"written: {out}/report.json, {out}/call.png, {', '.join(report.heard.values())}")


def _add(table: Table, utterance: Utterance) -> None:
    times = (utterance.asr_ms, utterance.mt_ms, utterance.tts_first_ms, utterance.lag_ms)
    table.add_row(
        utterance.source_language, utterance.text, *("–" if time is None else f"{time:.0f}" for time in times)
    )
    table.add_row(utterance.target_language, utterance.translation)
    table.add_row("heard", utterance.heard_text, style="dim", end_section=True)
