"""Whether there is memory for the standbys that the configuration asks for."""

import psutil

from appliance.config import STAGES, Config
from appliance.doctor.findings import Finding, advice, ok
from appliance.frames.memory import Memory, MemoryRefused
from appliance.supervision import snapshot
from appliance.supervision.standby import RESERVE_BYTES
from appliance.supervision.vitals import State

WAITS = State.STANDBY.name.lower()
# What each fills once it is warm, with the embedded engines (measured: private memory of the running processes).
MEGABYTES = {"rtp": 25, "asr": 340, "mt": 200, "tts": 920}


def examine(config: Config) -> Finding:
    """Advice where memory is short: the appliance leaves out the standbys then, and restarts take seconds."""
    wanted = config.supervision.standbys
    if not wanted:
        return ok("standbys", "none: a process that dies is back after some seconds")
    waiting = _waiting(config.instance)
    missing = [name for name in wanted if name not in (waiting or ())]
    needed_mb = sum(MEGABYTES[name] for name in missing) + (RESERVE_BYTES >> 20)
    if waiting is None:  # the appliance itself is still to be started
        needed_mb += sum(MEGABYTES[stage] for stage in STAGES)
    free_mb = psutil.virtual_memory().available >> 20
    if missing and free_mb < needed_mb:
        found = f"{free_mb} MB of memory are free, {needed_mb} MB are needed for {', '.join(missing)} to have one"
        return advice("standbys", found, "give it more memory, or name fewer in supervision.standbys")
    return ok("standbys", f"for {', '.join(wanted)}")


def _waiting(instance: str) -> list[str] | None:
    """The processes that somebody waits for now; None: the appliance does not run."""
    try:
        memory = Memory.attach(instance)
    except MemoryRefused:
        return None
    try:
        return [each.waits_for for each in snapshot.take(memory).processes if each.waits_for and each.state == WAITS]
    finally:
        memory.close()
