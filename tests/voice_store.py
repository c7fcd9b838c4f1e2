"""The store of voices for tests of processes that run in threads: a process opens a store once, so others change it."""

import os
import subprocess
import sys
from pathlib import Path

from appliance.config import VoicesConfig

ROOT = Path(__file__).parent.parent
BEGIN = """
import sys
from datetime import timedelta
from pathlib import Path
import numpy as np
from msgspec.structs import replace
from appliance.voices.arrays import Array
from appliance.voices.consent import Consent
from appliance.voices.identity import load_encoder
from appliance.voices.profile import DefaultParams, Embedding, IDENTITY_SLOT, StyleCluster
from appliance.voices.store import VoiceStore
from voice_samples import CONSENT, NOW, profile

def manner(loudness, centre=0.0):
    return StyleCluster(
        Array.of(np.full(64, centre)), Array.of(np.zeros((32, 1024)), "<f2"), Array.of(np.full(512, loudness))
    )

with VoiceStore(Path(sys.argv[1]), Path(sys.argv[2])) as store:
"""


def voices_in(folder: Path) -> VoicesConfig:
    """Where a test's voices are."""
    return VoicesConfig(folder=folder / "voices", key_file=folder / "voices.key")


def change(voices: VoicesConfig, code: str) -> None:
    """Run `code`, indented or not, in another process, with `store` open."""
    lines = "".join(f"    {line}\n" for line in code.strip().splitlines())
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + lines, str(voices.folder), str(voices.key_file)],
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PATH": os.environ["PATH"], "HOME": os.environ["HOME"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
