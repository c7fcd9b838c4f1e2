"""The voices on file: the store with the box's key and its disk, the weights that tell voices apart, the prompts."""

import shutil
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from appliance.config import Config, VoicesConfig
from appliance.doctor.findings import Finding, advice, fault, ok
from appliance.engines.model_files import manifest, verified_folder
from appliance.engines.protocols import EngineError
from appliance.voices import phone_prompts
from appliance.voices.consent import standing
from appliance.voices.ecapa import Ecapa
from appliance.voices.errors import StoreUnusable
from appliance.voices.profile import Profile
from appliance.voices.resemblyzer import MODEL as RESEMBLYZER
from appliance.voices.store import VoiceStore
from appliance.voices.style import load_style

CHECK = "voices"
IDENTITY = "voice identity"
STYLE = "manners of speaking"
DISK = "room for voices"
PROMPTS = "enrolment by telephone"
LEAST_FREE_BYTES = 1 << 30  # some 7,000 voices


def examine(config: Config) -> Iterator[Finding]:
    """Read every voice once: some 0.2 ms each. Makes nothing where there is nothing yet."""
    yield _identity(config.cache_dir, config.voices.ecapa_folder)
    yield _style(config.voices.gst_folder)
    yield _store(config.voices)
    yield _disk(config.voices.folder)
    yield _by_telephone(config)


def _identity(cache_dir: Path, ecapa_folder: str) -> Finding:
    try:
        if ecapa_folder:
            encoder = Ecapa(Path(ecapa_folder))
            return ok(IDENTITY, f"{encoder.model}, {encoder.width} numbers, from {ecapa_folder}")
        verified_folder(manifest()[RESEMBLYZER], cache_dir)
    except EngineError as error:
        found, _, fix = str(error).partition("; ")
        return advice(IDENTITY, f"nobody can enrol: {found}", fix or "make setup")
    return ok(IDENTITY, f"{RESEMBLYZER}, every byte as it should be")


def _style(gst_folder: str) -> Finding:
    try:
        encoder = load_style(gst_folder)
    except EngineError as error:
        found, _, fix = str(error).rpartition("; ")
        return advice(STYLE, f"nobody can enrol: {found}", fix)
    return ok(STYLE, f"{encoder.model}, {encoder.width} numbers" + (f", from {gst_folder}" if gst_folder else ""))


def _disk(folder: Path) -> Finding:
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    free = shutil.disk_usage(there).free
    if free < LEAST_FREE_BYTES:
        return advice(DISK, f"only {free >> 20} MB free on the disk of {folder}", "free some: a voice takes 140 kB")
    return ok(DISK, f"{free >> 30} GB free on the disk of {folder}")


def _by_telephone(config: Config) -> Finding:
    voices, languages = config.voices, phone_prompts.usable(config.engines.languages)
    if not voices.enrolment_number:
        return ok(PROMPTS, "off (voices.enrolment_number)")
    if not languages:
        there = " and ".join(phone_prompts.languages())
        return advice(PROMPTS, f"there are prompts in {there} only", "name one of them under engines.synthesizers")
    missing = sum(len(phone_prompts.missing(voices.prompts_folder, each)) for each in languages)
    if missing:
        return advice(PROMPTS, f"{missing} prompts are not spoken yet", "dragoman voices prompts, or dragoman up")
    if closed := _closed(voices.prompts_folder / languages[0]):
        fix = f"chmod a+x {closed}, or name another voices.prompts_folder"
        return advice(PROMPTS, f"Asterisk, if it is another user, cannot read the prompts: {closed} is closed", fix)
    return ok(PROMPTS, f"dial {voices.enrolment_number}; prompts in {', '.join(languages)}")


def _closed(folder: Path) -> Path | None:
    """The first folder on the way that other users cannot enter."""
    way = [*reversed(folder.absolute().parents), folder]
    return next((each for each in way if not each.stat().st_mode & stat.S_IXOTH), None)


def _store(voices: VoicesConfig) -> Finding:
    if not (voices.folder / "data.mdb").exists():
        return ok(CHECK, "none on file yet: everybody is heard in a stock voice")
    try:
        with VoiceStore(voices.folder, voices.key_file) as store:
            found = list(store.survey())
    except StoreUnusable as error:
        return fault(CHECK, str(error), "see docs/voices.md; calls go on in stock voices")
    profiles = [one for one in found if isinstance(one, Profile)]
    if len(profiles) < len(found):
        damaged = f"{len(found) - len(profiles)} of {len(found)} cannot be read"
        return advice(CHECK, damaged, "dragoman voices list names them; delete them, then import or enrol them again")
    now = datetime.now(UTC)
    usable = sum(standing(one.consent, now) == "given" for one in profiles)
    return ok(CHECK, f"{len(profiles)} on file, {usable} with consent")
