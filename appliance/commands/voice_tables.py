"""The tables of `dragoman voices`."""

from rich.markup import escape
from rich.table import Table

from appliance.voices.calibration import Calibration
from appliance.voices.card import Card
from appliance.voices.choice import FIRST_LOOK_S
from appliance.voices.comparison import Compared, Comparison
from appliance.voices.enrolment import Enrolled
from appliance.voices.examination import Examination
from appliance.voices.invitations import Invitation
from appliance.voices.profile import Profile, Quality

COLOURS = {"given": "green", "expired": "yellow", "withdrawn": "red", "none": "red"}


def of_cards(cards: list[Card]) -> Table:
    """A row for each voice."""
    table = Table("id", "name", "consent", "until", "speech", "SNR", "numbers", box=None, pad_edge=False)
    for one in cards:
        quality = one.quality
        table.add_row(
            one.speaker_id,
            escape(one.name),
            f"[{COLOURS[one.consent]}]{one.consent}[/]",
            f"{one.consent_expires_at:%Y-%m-%d}" if one.consent_expires_at else "-",
            f"{quality.speech_s:.0f} s" if quality else "-",
            f"{quality.snr_db:.0f} dB" if quality else "-",
            ", ".join(one.phone_numbers) or "-",
        )
    return table


def of_one(one: Card) -> Table:
    """All about one voice."""
    table = Table(box=None, pad_edge=False, show_header=False)
    rows = {
        "id": one.speaker_id,
        "name": escape(one.name),
        "consent": _consent(one),
        "wording": escape(one.consent_wording) or "-",
        "phone numbers": ", ".join(one.phone_numbers) or "none",
        "speech": _speech(one.quality) if one.quality else "-",
        "identity": f"{escape(one.identity.model)}, {one.identity.width} numbers, {one.identity.embedding_ref}",
        "style": f"{escape(one.style.model)}, {one.style.width} numbers, {one.style.embedding_ref}",
        "synthesis": f"{escape(one.synthesis_model)}, manners of speaking: {one.manners}"
        if one.manners
        else "none yet",
        "created": f"{one.created_at:%Y-%m-%d %H:%M} UTC",
    }
    for name, value in rows.items():
        table.add_row(f"[bold]{name}[/]", value)
    return table


def _consent(one: Card) -> str:
    until = f", until {one.consent_expires_at:%Y-%m-%d}" if one.consent_expires_at else ""
    given = f" by {escape(one.consent_by)} on {one.consent_at:%Y-%m-%d}{until}" if one.consent_at else ""
    return f"[{COLOURS[one.consent]}]{one.consent}[/]{given}"


def _speech(quality: Quality) -> str:
    figures = f"{quality.speech_s:.0f} s, SNR {quality.snr_db:.0f} dB, up to {quality.bandwidth_hz / 1000:.1f} kHz"
    if quality.self_similarity is not None:
        figures += f", like itself {quality.self_similarity:.2f}"
    if quality.synthesis_similarity is not None:
        figures += f", synthesis like the speaker {quality.synthesis_similarity:.2f}"
    return figures


def of_invitations(invitations: list[Invitation]) -> Table:
    """A row for each invitation."""
    table = Table("name", "language", "until", "numbers", "replaces", box=None, pad_edge=False)
    for one in invitations:
        numbers = ", ".join(one.phone_numbers) or "-"
        table.add_row(escape(one.name), one.language, f"{one.ends_at:%Y-%m-%d}", numbers, one.replaces or "-")
    return table


def of_recordings(examination: Examination) -> Table:
    """A row for each recording, and one for all together."""
    table = Table("recording", "length", "speech", "SNR", "cut off", "up to", box=None, pad_edge=False)
    rows = [(one.name, f"{one.seconds:.0f} s", one.quality) for one in examination.recordings]
    for name, length, quality in (*rows, ("together", "", examination.together)):
        table.add_row(
            escape(name),
            length,
            f"{quality.speech_s:.0f} s",
            f"{quality.snr_db:.0f} dB",
            f"{quality.clipped_share:.2%}",
            f"{quality.bandwidth_hz / 1000:.1f} kHz",
        )
    return table


VERDICTS = {"same": "[green]same voice[/]", "unclear": "[yellow]unclear[/]", "other": "[red]another voice[/]"}


def of_comparison(comparison: Comparison) -> Table:
    """A row for each recording, and one for all together."""
    table = Table("recording", "speech", "likeness", "", box=None, pad_edge=False)
    for one in (*comparison.recordings, comparison.together):
        table.add_row(escape(one.name), f"{one.speech_s:.0f} s", f"{one.similarity:.2f}", VERDICTS[one.verdict])
    return table


def conclusion(least: Compared, name: str) -> str:
    """One sentence about all recordings, of which `least` is the least alike."""
    return {
        "same": f"this is the voice of {name}, as far as can be heard",
        "unclear": f"{least.name} may be the voice of {name} or one like it; record more, with the same microphone",
        "other": f"{least.name} does not sound like {name}: somebody else, or a very different room or microphone",
    }[least.verdict]


def of_calibration(calibration: Calibration) -> Table:
    """A row for pairs of the same speaker, and one for pairs of different speakers."""
    table = Table("likeness", "pairs", "least", "5 %", "median", "greatest", box=None, pad_edge=False)
    for name, one in (("same speaker", calibration.same), ("different speakers", calibration.different)):
        table.add_row(name, str(one.pairs), *(f"{each:.2f}" for each in (one.least, one.low, one.median, one.greatest)))
    return table


def calibrated(calibration: Calibration, model: str) -> str:
    """What follows, as lines for `[voices]`, and how far it can be trusted."""
    lines = [
        f"{model}; {calibration.people} people on file, in stretches of {FIRST_LOOK_S:.0f} s; for appliance.toml:",
        "[voices]",
        f"least_likeness = {calibration.least_likeness:.2f}",
        f"least_margin = {calibration.least_margin:.2f}",
        f"other_below = {calibration.other_below:.2f}",
        f"with these, {calibration.found} of {calibration.same.pairs} stretches are found at the first look; of "
        f"{calibration.people_pairs} pairs of people none is so alike, and of others {calibration.at_most_wrong:.0%} "
        "at most (95 % sure)",
    ]
    return "\n".join(lines)


def enrolled(profile: Profile, made: Enrolled) -> str:
    """What has become of an enrolment, and what could be better."""
    assert profile.quality is not None
    lengths = ", ".join(f"{one.speech_s:.0f} s" for one in made.manners)
    lines = [
        f"{profile.name} is on file as {profile.speaker_id}: {_speech(profile.quality)}",
        f"manners of speaking: {len(made.manners)} ({lengths}), by {profile.style.model}; "
        f"identity: {profile.identity.model}",
        *(one.text for one in made.advice),
    ]
    return "\n".join(lines)
