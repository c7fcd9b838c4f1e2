"""Random XTTS v2 checkpoints for these tests, in the published layout; `python checkpoints.py FOLDER --full` makes one.

The fixture `tiny` (conftest.py) has one for the whole session.
"""

import sys
from pathlib import Path

from appliance.bench.xtts_weights import FULL, SPEAKERS, TINY, make_checkpoint, reference

__all__ = ["FULL", "SPEAKERS", "TINY", "make_checkpoint", "reference"]

if __name__ == "__main__":
    make_checkpoint(Path(sys.argv[1]), FULL if "--full" in sys.argv else TINY)
