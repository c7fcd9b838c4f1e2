"""The voices on file: whether the store opens with the box's key, and whether every voice can be read."""

from datetime import UTC, datetime

from appliance.config import VoicesConfig
from appliance.doctor.findings import Finding, advice, fault, ok
from appliance.voices.consent import standing
from appliance.voices.errors import StoreUnusable
from appliance.voices.profile import Profile
from appliance.voices.store import VoiceStore

CHECK = "voices"


def examine(voices: VoicesConfig) -> Finding:
    """Read every voice once: some 0.2 ms each. Makes nothing where there is nothing yet."""
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
